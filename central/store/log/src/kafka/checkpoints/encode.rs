//! How a checkpoint is written.
//!
//! Little-endian: layout (1 byte), generation (4), offset (8), log time in ns (8), watermark in s (8),
//! from layout 2 on the length of what the evaluator learned (4) and that, then 32 bytes for each stream:
//! stream (16), number (8), log time in ns (8).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use goldentime_model::{Second, UnixNanos};
use goldentime_windows::{Checkpoint, StoreError, StreamPosition};

use super::BACKEND;

const LAYOUT: u8 = 2;
/// The first layout with what the evaluator learned.
const LAYOUT_LEARNED: u8 = 2;
const HEAD_BYTES: usize = 29;
const LENGTH_BYTES: usize = 4;
const POSITION_BYTES: usize = 32;

pub(super) fn encode(checkpoint: &Checkpoint) -> Bytes {
    // What does not fit the length is learned anew.
    let (length, learned) = match u32::try_from(checkpoint.learned.len()) {
        Ok(length) => (length, &checkpoint.learned[..]),
        Err(_) => (0, &[][..]),
    };
    let mut bytes = BytesMut::with_capacity(
        HEAD_BYTES + LENGTH_BYTES + learned.len() + checkpoint.table.len() * POSITION_BYTES,
    );
    bytes.put_u8(LAYOUT);
    bytes.put_u32_le(checkpoint.generation);
    bytes.put_u64_le(checkpoint.offset);
    bytes.put_i64_le(checkpoint.log_time.0);
    bytes.put_i64_le(checkpoint.watermark.0);
    bytes.put_u32_le(length);
    bytes.put_slice(learned);
    for position in &checkpoint.table {
        bytes.put_slice(&position.stream);
        bytes.put_u64_le(position.number);
        bytes.put_i64_le(position.log_time.0);
    }
    bytes.freeze()
}

/// Reads a checkpoint; `place` names it for whoever has to look.
pub(super) fn decode(partition: u32, bytes: &[u8], place: &str) -> Result<Checkpoint, StoreError> {
    let corrupt = || StoreError::Corrupt {
        backend: BACKEND,
        what: format!("the checkpoint {place} (windows are rebuilt from the log without the topic)"),
    };
    let mut rest = bytes;
    let layout = *bytes.first().ok_or_else(corrupt)?;
    if layout > LAYOUT {
        let (found, known) = (u64::from(layout), u64::from(LAYOUT));
        return Err(StoreError::Newer { backend: BACKEND, place: place.to_owned(), found, known });
    }
    if bytes.len() < HEAD_BYTES || layout == 0 {
        return Err(corrupt());
    }
    rest.advance(1);
    let (generation, offset) = (rest.get_u32_le(), rest.get_u64_le());
    let (log_time, watermark) = (UnixNanos(rest.get_i64_le()), Second(rest.get_i64_le()));
    let learned =
        if layout < LAYOUT_LEARNED { Vec::new() } else { learned(&mut rest).ok_or_else(corrupt)? };
    if !rest.len().is_multiple_of(POSITION_BYTES) {
        return Err(corrupt());
    }
    let mut table = Vec::with_capacity(rest.len() / POSITION_BYTES);
    while rest.has_remaining() {
        let mut stream = [0; 16];
        rest.copy_to_slice(&mut stream);
        table.push(StreamPosition {
            stream,
            number: rest.get_u64_le(),
            log_time: UnixNanos(rest.get_i64_le()),
        });
    }
    Ok(Checkpoint { partition, offset, log_time, generation, table, watermark, learned })
}

fn learned(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let (learned, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(learned.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let position = StreamPosition { stream: [7; 16], number: u64::MAX, log_time: UnixNanos(i64::MIN) };
        Checkpoint {
            partition: 3,
            offset: 42,
            log_time: UnixNanos(-1),
            generation: 2,
            table: vec![position; 2],
            watermark: Second(1_700_000_000),
            learned: vec![9; 7],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let empty = Checkpoint { table: Vec::new(), learned: Vec::new(), ..checkpoint() };
        for written in [checkpoint(), empty] {
            assert_eq!(decode(3, &encode(&written), "here").expect("whole"), written);
        }
    }

    #[test]
    fn the_layout_without_what_was_learned_is_read() {
        let whole = encode(&checkpoint());
        let mut first = whole[..HEAD_BYTES].to_vec();
        first[0] = 1;
        first.extend_from_slice(&whole[HEAD_BYTES + LENGTH_BYTES + 7..]);
        let expected = Checkpoint { learned: Vec::new(), ..checkpoint() };
        assert_eq!(decode(3, &first, "here").expect("whole"), expected);
    }

    #[test]
    fn what_is_cut_or_of_a_newer_version_is_refused() {
        let whole = encode(&checkpoint());
        let head = HEAD_BYTES + LENGTH_BYTES + 7;
        for length in (0..whole.len())
            .filter(|length| *length < head || !(length - head).is_multiple_of(POSITION_BYTES))
        {
            let cut = decode(3, &whole[..length], "here");
            assert!(matches!(cut, Err(StoreError::Corrupt { .. })), "{length}: {cut:?}");
        }
        let mut newer = whole.to_vec();
        newer[0] = LAYOUT + 1;
        assert!(matches!(decode(3, &newer, "here"), Err(StoreError::Newer { found: 3, known: 2, .. })));
    }
}
