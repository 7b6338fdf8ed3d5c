//! Blocks: what is written is read back, and nothing on a disk makes a search panic.

use goldentime_model::UnixNanos;
use proptest::prelude::*;

use super::block::{Block, Damaged, compress, decompress, encode};
use crate::conformance::line;
use crate::grams::Words;
use crate::line::NewLine;

fn a_line() -> impl Strategy<Value = NewLine> {
    let texts =
        ("\\PC{0,40}", prop::collection::btree_map("\\PC{0,8}", "\\PC{0,20}", 0..4), "[a-f0-9]{0,32}");
    let numbers = (any::<i64>(), any::<u64>(), any::<u32>(), any::<[u8; 16]>(), 0..3_u8);
    (texts, numbers).prop_map(|((message, attributes, trace_id), (at, number, index, stream, name))| {
        let mut new = line(0, &message);
        new.identity.number = number;
        new.identity.index = index;
        new.identity.stream = stream;
        new.service = format!("shop/prod/s{name}").parse().expect("an id");
        new.record.at = UnixNanos(at);
        new.record.attributes = attributes;
        new.record.trace_id = trace_id;
        new
    })
}

fn lines() -> impl Strategy<Value = Vec<NewLine>> {
    prop::collection::vec(a_line(), 1..65)
}

/// Everything that a search and the index do with a block.
fn read(data: &[u8]) -> Result<Vec<NewLine>, Damaged> {
    let block = Block::decode(data)?;
    block.words(&mut Words::default())?;
    let lines = block.lines()?;
    lines.metas.iter().map(|meta| lines.read(meta)).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(lines in lines()) {
        let encoded = encode(&lines).expect("compressed");
        prop_assert_eq!(read(&encoded.data).expect("whole"), lines);
    }

    #[test]
    fn a_damaged_block_is_refused_or_read_as_something_else(
        lines in lines(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let encoded = encode(&lines).expect("compressed");
        let damage = |mut bytes: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        };
        // As a disk damages it, and as it is damaged below the compression.
        let _ = read(&damage(encoded.data.clone()));
        let inner = damage(decompress(&encoded.data).expect("whole"));
        let _ = read(&compress(&inner).expect("compressed"));
    }
}
