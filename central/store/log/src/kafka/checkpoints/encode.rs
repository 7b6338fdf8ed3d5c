//! How a checkpoint is written.
//!
//! Little-endian: layout (1 byte), generation (4), offset (8), log time in ns (8), watermark in s (8),
//! then 32 bytes for each stream: stream (16), number (8), log time in ns (8).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use goldentime_model::{Second, UnixNanos};
use goldentime_windows::{Checkpoint, StoreError, StreamPosition};

use super::BACKEND;

const LAYOUT: u8 = 1;
const HEAD_BYTES: usize = 29;
const POSITION_BYTES: usize = 32;

pub(super) fn encode(checkpoint: &Checkpoint) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + checkpoint.table.len() * POSITION_BYTES);
    bytes.put_u8(LAYOUT);
    bytes.put_u32_le(checkpoint.generation);
    bytes.put_u64_le(checkpoint.offset);
    bytes.put_i64_le(checkpoint.log_time.0);
    bytes.put_i64_le(checkpoint.watermark.0);
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
    if bytes.len() < HEAD_BYTES || !(bytes.len() - HEAD_BYTES).is_multiple_of(POSITION_BYTES) || layout == 0 {
        return Err(corrupt());
    }
    rest.advance(1);
    let (generation, offset) = (rest.get_u32_le(), rest.get_u64_le());
    let (log_time, watermark) = (UnixNanos(rest.get_i64_le()), Second(rest.get_i64_le()));
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
    Ok(Checkpoint { partition, offset, log_time, generation, table, watermark })
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
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let empty = Checkpoint { table: Vec::new(), ..checkpoint() };
        for written in [checkpoint(), empty] {
            assert_eq!(decode(3, &encode(&written), "here").expect("whole"), written);
        }
    }

    /// As version 0.1.0 wrote the checkpoint above.
    const WRITTEN_BY_0_1_0: &str = "\
        01020000002a00000000000000ffffffffffffffff00f153650000000007070707070707070707070707070707ffffff\
        ffffffffff000000000000008007070707070707070707070707070707ffffffffffffffff0000000000000080";

    #[test]
    fn what_an_earlier_version_wrote_is_read() {
        let bytes: Vec<u8> = (0..WRITTEN_BY_0_1_0.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&WRITTEN_BY_0_1_0[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        assert_eq!(decode(3, &bytes, "here").expect("read"), checkpoint());
    }

    #[test]
    fn what_is_cut_or_of_a_newer_version_is_refused() {
        let whole = encode(&checkpoint());
        for length in (0..whole.len()).filter(|length| length % POSITION_BYTES != HEAD_BYTES) {
            let cut = decode(3, &whole[..length], "here");
            assert!(matches!(cut, Err(StoreError::Corrupt { .. })), "{length}: {cut:?}");
        }
        let mut newer = whole.to_vec();
        newer[0] = LAYOUT + 1;
        assert!(matches!(decode(3, &newer, "here"), Err(StoreError::Newer { found: 2, known: 1, .. })));
    }
}
