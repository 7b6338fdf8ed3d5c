//! Bytes as a record: it is refused with a reason, or valid, and then it is the same after being
//! written and read again, its sketches included.
#![no_main]

use bytes::Bytes;
use goldentime_wire::{frame, proto, record};

const PARTITIONS: u32 = 4;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = frame::decode::<proto::Record>(Bytes::copy_from_slice(bytes)) else { return };
    let verdict = record::check(&message, PARTITIONS);
    let _ = record::stream_id(&message);
    if let Ok(service) = verdict {
        let written = frame::to_bytes(&message).expect("a valid record can be written");
        let body = written.slice(frame::HEADER_BYTES..);
        let again = frame::decode::<proto::Record>(body).expect("what was written can be read");
        assert_eq!(again, message);
        assert_eq!(record::check(&again, PARTITIONS).expect("valid still"), service);
    }
});
