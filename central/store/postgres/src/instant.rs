//! A second as PostgreSQL's `timestamptz` has it.

use goldentime_model::Second;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Encode, Type};

/// Object ids of `timestamptz` and of an array of it (`pg_type.dat`); they never change.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// 2000-01-01 00:00 UTC, from which PostgreSQL counts.
const EPOCH_S: i64 = 946_684_800;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A whole second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(pub Second);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.0.saturating_sub(EPOCH_S).saturating_mul(MICROS_PER_SECOND);
        buffer.extend(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a time that is not in binary form".into());
        }
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        Ok(Self(Second(micros.div_euclid(MICROS_PER_SECOND).saturating_add(EPOCH_S))))
    }
}
