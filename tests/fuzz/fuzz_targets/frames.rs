//! Bytes as a stream of frames of each kind: every step takes bytes or ends, and what was taken can be
//! written again.
#![no_main]

use bytes::BytesMut;
use goldentime_wire::frame::{self, Framed};
use goldentime_wire::proto;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    all::<proto::Record>(bytes);
    all::<proto::Control>(bytes);
    all::<proto::StreamHeader>(bytes);
});

fn all<M: Framed>(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    loop {
        let before = buffer.len();
        let Ok(Some(body)) = frame::split::<M>(&mut buffer) else { return };
        assert!(buffer.len() < before && body.len() <= M::BYTES_MAX);
        if let Ok(message) = frame::decode::<M>(body) {
            // Writing drops what this version does not know, so it may be shorter, never too long.
            frame::to_bytes(&message).expect("what was read can be written");
        }
    }
}
