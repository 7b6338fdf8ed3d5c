//! What travels between agents and centrals: the messages ([`proto`]), how they are cut into frames
//! ([`frame`]), what makes a record valid ([`record`], [`limits`]), and how they map to the contracts
//! of `goldentime-model` ([`convert`]).

pub mod convert;
pub mod frame;
pub mod limits;
pub mod record;

/// Messages generated from `goldentime.proto`, where each field is described.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "generated; documented in the .proto"
)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/goldentime.v1.rs"));
}

/// Code of a refusal for a trouble of the central's own: the agent asks again, nobody has to act on it.
pub const REFUSED_UNAVAILABLE: &str = "unavailable";

/// Version of the record layout that this build writes.
pub const RECORD_VERSION: u32 = 1;
