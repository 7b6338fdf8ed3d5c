//! Reading cells: which keys there can be, and what stands in them.

use std::collections::HashMap;
use std::sync::Arc;

use ::redis::{Cmd, Value, cmd};
use bytes::Bytes;
use goldentime_model::{Second, ServiceId};

use super::BACKEND;
use super::failure::Failure;
use super::index;
use super::keys::{self, Field};
use super::shared::Shared;
use crate::error::StoreError;
use crate::store::{CellKey, StoredCell, Tier};
use crate::view::CellView;
use crate::watermark::Horizon;

/// Most buckets that are asked for by name without asking first which there can be.
const NAMED_MAX: i64 = 720;

/// Most buckets in one round trip.
const ROUND_TRIP_MAX: usize = 1024;

/// The newest state of a partition that was found in a bucket, and who wrote it.
struct Newest {
    offset: u64,
    boot: Arc<str>,
    epoch: u64,
    blob: Bytes,
}

impl Shared {
    pub(super) async fn read_cells(
        &self,
        service: &ServiceId,
        tier: Tier,
        from: Second,
        until: Second,
    ) -> Result<Vec<StoredCell>, StoreError> {
        let failed = |failure: Failure| failure.into_error("read windows");
        if from >= until {
            return Ok(Vec::new());
        }
        let horizon = self.watermarks.horizon();
        let starts = if until.0.saturating_sub(from.0) <= NAMED_MAX * tier.width_s() {
            index::starts_between(tier, from, until.0 - 1).collect()
        } else {
            let marks = index::watermarks(&self.nodes, &horizon).await.map_err(failed)?;
            index::buckets(tier, from, until, &marks)
        };
        let mut cells = Vec::new();
        for starts in starts.chunks(ROUND_TRIP_MAX) {
            let names: Vec<String> =
                starts.iter().map(|start| keys::of_bucket(service, tier, *start)).collect();
            let commands = names.iter().map(|name| (&**name, hgetall(name))).collect();
            let answers = self.nodes.ask(commands).await.map_err(failed)?;
            for ((start, name), answer) in starts.iter().zip(&names).zip(answers) {
                let key = CellKey { service: service.clone(), tier, start: Second(*start) };
                take_bucket(&key, name, answer, &horizon, &mut cells)?;
            }
        }
        Ok(cells)
    }
}

fn hgetall(key: &str) -> Cmd {
    let mut command = cmd("HGETALL");
    command.arg(key);
    command
}

/// Takes each partition's newest state from what a bucket's key holds.
fn take_bucket(
    key: &CellKey,
    name: &str,
    answer: Value,
    horizon: &Horizon,
    cells: &mut Vec<StoredCell>,
) -> Result<(), StoreError> {
    let foreign = || Failure::Foreign(name.to_owned()).into_error("read windows");
    let items = match answer {
        Value::Array(items) => items,
        Value::Map(pairs) => pairs.into_iter().flat_map(|(field, value)| [field, value]).collect(),
        _ => return Err(foreign()),
    };
    let mut newest: HashMap<u32, Newest> = HashMap::new();
    let mut items = items.into_iter();
    while let (Some(field), Some(value)) = (items.next(), items.next()) {
        let (Value::BulkString(field), Value::BulkString(value)) = (field, value) else {
            return Err(foreign());
        };
        let field = Field::parse(&field).ok_or_else(foreign)?;
        let (offset, blob) = match keys::decode_value(value.into()) {
            keys::Value::Cell { offset, blob } => (offset, blob),
            keys::Value::Newer(found) => {
                let (found, known) = (u64::from(found), u64::from(keys::VALUE_VERSION));
                return Err(StoreError::Newer {
                    backend: BACKEND,
                    place: format!("the key {name}"),
                    found,
                    known,
                });
            }
            keys::Value::Foreign => return Err(foreign()),
        };
        CellView::new(&blob).map_err(|error| StoreError::Corrupt {
            backend: BACKEND,
            what: format!("the key {name}, field {} ({error}; delete the key)", field.name()),
        })?;
        let place = newest.get(&field.partition);
        // Of two that reach the same offset the first stays: they hold the same.
        let is_newer = place.is_none_or(|held| {
            offset > held.offset
                || (offset == held.offset && (field.boot, field.epoch) < (&held.boot, held.epoch))
        });
        if is_newer {
            let newer = Newest { offset, boot: field.boot.into(), epoch: field.epoch, blob };
            newest.insert(field.partition, newer);
        }
    }
    let mut parts: Vec<(u32, Newest)> = newest.into_iter().collect();
    parts.sort_unstable_by_key(|(partition, _)| *partition);
    for (partition, Newest { offset, blob, .. }) in parts {
        if !horizon.has_expired(partition, key.tier, key.start) {
            cells.push(StoredCell { key: key.clone(), partition, offset, blob });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecondCell;

    fn take(fields: &[(&str, Vec<u8>)]) -> Result<Vec<(u32, u64)>, StoreError> {
        let service = ServiceId::new("shop", "prod", "api").expect("a valid name");
        let key = CellKey { service, tier: Tier::OneSecond, start: Second(1) };
        let bulk = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let items = fields.iter().flat_map(|(field, value)| [bulk(field.as_bytes()), bulk(value)]).collect();
        let mut cells = Vec::new();
        let horizon = crate::watermark::Watermarks::default().horizon();
        take_bucket(&key, "the-key", Value::Array(items), &horizon, &mut cells)?;
        Ok(cells.iter().map(|cell| (cell.partition, cell.offset)).collect())
    }

    fn value(offset: u64) -> Vec<u8> {
        keys::encode_value(offset, &SecondCell::default().encode())
    }

    #[test]
    fn each_partition_counts_once_with_its_highest_offset() {
        let fields = [("1:b:9", value(7)), ("0:a:1", value(3)), ("0:a:2", value(9)), ("0:b:1", value(4))];
        assert_eq!(take(&fields).expect("readable"), [(0, 9), (1, 7)]);
        assert_eq!(take(&[]).expect("readable"), []);
    }

    #[test]
    fn what_is_not_ours_is_an_error_that_names_the_key() {
        let mut newer = value(1);
        newer[0] = 2;
        let mut corrupt = value(1);
        corrupt.push(0);
        let fields = [("total", value(1)), ("0:a:1", b"12".to_vec()), ("0:a:1", newer), ("0:a:1", corrupt)];
        for field in fields {
            let error = take(std::slice::from_ref(&field)).expect_err("foreign");
            assert!(error.to_string().contains("the-key"), "{error}");
        }
    }
}
