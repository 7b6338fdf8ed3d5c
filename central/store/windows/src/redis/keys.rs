//! Names of keys and fields, and how a value is written.
//!
//! | key | kind | content | TTL |
//! |---|---|---|---|
//! | `metrics:{<service id>}:1s:<second>` | hash | field `<partition>:<boot id>:<writer epoch>`, value below | 360 s |
//! | `metrics:{<service id>}:10s:<start>` | hash | the same | 20 min |
//! | `windows:services` | sorted set | `<partition> <service id>` by the event second until which a cell is kept | 1 h |
//! | `windows:watermarks` | sorted set | partition by its newest event second | 1 h |
//! | `windows:sentinel…` | hash | [`super::sentinel`] | none |
//! | `metrics:{…}:latency:1m`, `:error:1m`, `:traffic:1m`, `slo:{…}:status` | hash | [`super::summary`] | 5 min |
//!
//! A value is a version byte, the offset that the cell reaches (8 bytes, big-endian), and the cell.

use bytes::Bytes;
use goldentime_model::ServiceId;

use crate::store::{CellKey, Tier};

/// Layout of a value.
pub(super) const VALUE_VERSION: u8 = 1;

/// Bytes before the cell.
const HEAD_BYTES: usize = 9;

/// Slots of a Redis Cluster.
pub(super) const SLOTS: u16 = 16384;

/// Services with cells that are kept.
pub(super) const SERVICES: &str = "windows:services";

/// How far each partition has come.
pub(super) const WATERMARKS: &str = "windows:watermarks";

/// How long the two above outlive their last change, in seconds: longer than any cell.
pub(super) const INDEX_TTL_S: i64 = 3600;

/// Key of a cell.
pub(super) fn of_cell(key: &CellKey) -> String {
    of_bucket(&key.service, key.tier, key.start.0)
}

/// Key of what a service did in one bucket.
pub(super) fn of_bucket(service: &ServiceId, tier: Tier, start: i64) -> String {
    format!("metrics:{{{service}}}:{}s:{start}", tier.width_s())
}

/// Who wrote a field: comes after whoever wrote the same offset later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Field<'a> {
    pub(super) partition: u32,
    pub(super) boot: &'a str,
    pub(super) epoch: u64,
}

impl Field<'_> {
    pub(super) fn name(&self) -> String {
        format!("{}:{}:{}", self.partition, self.boot, self.epoch)
    }
}

impl<'a> Field<'a> {
    pub(super) fn parse(name: &'a [u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(name).ok()?.split(':');
        let field = Self {
            partition: parts.next()?.parse().ok()?,
            boot: parts.next()?,
            epoch: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(field)
    }
}

/// What a value holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Cell {
        offset: u64,
        blob: Bytes,
    },
    /// A newer version wrote it.
    Newer(u8),
    /// It is none of ours.
    Foreign,
}

pub(super) fn encode_value(offset: u64, blob: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_BYTES + blob.len());
    value.push(VALUE_VERSION);
    value.extend_from_slice(&offset.to_be_bytes());
    value.extend_from_slice(blob);
    value
}

pub(super) fn decode_value(mut value: Bytes) -> Value {
    match value.first_chunk::<HEAD_BYTES>() {
        Some([VALUE_VERSION, offset @ ..]) => {
            let offset = u64::from_be_bytes(*offset);
            Value::Cell { offset, blob: value.split_off(HEAD_BYTES) }
        }
        Some([version, ..]) if *version > VALUE_VERSION && *version < b' ' => Value::Newer(*version),
        _ => Value::Foreign,
    }
}

/// The slot of a key: CRC-16 (XMODEM) of what stands between the first braces, or of the whole key.
pub(super) fn slot(key: &str) -> u16 {
    let hashed = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or(key, |(tag, _)| if tag.is_empty() { key } else { tag });
    hashed.bytes().fold(0_u16, |crc, byte| (crc << 8) ^ CRC[usize::from((crc >> 8) as u8 ^ byte)]) % SLOTS
}

const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut crc, mut bit) = ((at as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use goldentime_model::Counts;

    use super::*;
    use crate::cell::{Aggregate, EndpointKey, SecondCell};

    /// What versions wrote of the cell below up to offset 7, in hexadecimal: a file for each layout.
    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/redis/written")
    }

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A cell with everything that one can have.
    fn full() -> SecondCell {
        let (mut cell, mut more) = (SecondCell::default(), Aggregate::default());
        more.counts = Counts { ok: 3, server_error: 1, ..Counts::default() };
        for seconds in [0.004, 0.02, 0.02, 1.5] {
            more.latency.insert(seconds);
        }
        let endpoint = EndpointKey { endpoint: "/orders/{id}".into(), method: "GET".into() };
        let _ = cell.add(&"web-1".into(), &endpoint, &more);
        let _ = cell.set_gauge(&"cpu.used".into(), 0.25);
        cell.end_judged();
        let _ = cell.add(&"웹-2".into(), &endpoint, &more);
        cell
    }

    #[test]
    fn what_every_earlier_version_wrote_is_read() {
        let mut written = Vec::new();
        for file in std::fs::read_dir(folder()).expect("what was written") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("readable");
            let text = text.trim().to_owned();
            let bytes: Vec<u8> = (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
                .collect();
            let Value::Cell { offset, blob } = decode_value(bytes.into()) else { panic!("no cell") };
            assert_eq!((offset, SecondCell::decode(&blob).expect("a cell")), (7, full()));
            written.push(text);
        }
        let now = hexadecimal(&encode_value(7, &full().encode()));
        assert!(written.contains(&now), "a new layout needs a file, and is read beside the others");
        let field = Field { partition: 3, boot: "018bcfe568001f2e3d4c5b", epoch: 9 };
        assert_eq!(Field::parse(b"3:018bcfe568001f2e3d4c5b:9"), Some(field));
    }

    #[test]
    #[ignore = "writes what the test above reads in later versions"]
    fn write_what_this_version_writes() {
        let text = hexadecimal(&encode_value(7, &full().encode())) + "\n";
        std::fs::create_dir_all(folder()).expect("a folder");
        std::fs::write(folder().join(concat!(env!("CARGO_PKG_VERSION"), ".hex")), text).expect("written");
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        // CRC-16/XMODEM of this text is 0x31C3, as the Redis Cluster specification says.
        assert_eq!(slot("123456789"), 0x31C3 % SLOTS);
        assert_eq!(slot("metrics:{shop/prod/api}:1s:1"), slot("{shop/prod/api}"));
        assert_eq!(slot("a{}b"), slot("a{}b"));
        assert_ne!(slot("{}a"), slot("{}b"));
    }

    #[test]
    fn a_field_is_read_as_it_was_named_and_others_are_not() {
        let field = Field { partition: 7, boot: "0a1b", epoch: u64::MAX };
        assert_eq!(Field::parse(field.name().as_bytes()), Some(field));
        for foreign in ["", "7", "7:a", "7:a:b", "7:a:1:2", "x:a:1", "-1:a:1"] {
            assert_eq!(Field::parse(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(Field::parse(&[0xff, b':', b':']), None);
    }

    #[test]
    fn a_value_is_read_as_it_was_written_and_others_are_told_apart() {
        let value = encode_value(u64::MAX, b"cell");
        let cell = Value::Cell { offset: u64::MAX, blob: Bytes::from_static(b"cell") };
        assert_eq!(decode_value(value.into()), cell);
        assert_eq!(decode_value(Bytes::from_static(&[2; 20])), Value::Newer(2));
        for foreign in [&b""[..], &[VALUE_VERSION; 8], b"hello, world"] {
            assert_eq!(decode_value(Bytes::copy_from_slice(foreign)), Value::Foreign);
        }
    }
}
