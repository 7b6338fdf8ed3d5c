//! Two encodings: [`wire`] as small as can be for what travels, [`state`] quick to add up for windows
//! that are read. Both begin with a version byte and are checked whole before anything is changed.
//! [`varint`] serves what embeds sketches too.

mod nibble;
pub mod state;
pub mod varint;
pub mod wire;

pub use state::skip_state;

use crate::BUCKETS_MAX;
use crate::index::INDEXES;

/// Version of both layouts that this build writes.
const VERSION: u8 = 1;

/// Why bytes are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version.
    #[error("sketch layout version {0} is not known to this version; upgrade the reader first")]
    Version(u8),
    /// The bytes end before the sketch does.
    #[error("sketch ends early, at byte {0}")]
    Truncated(usize),
    /// The bytes contradict themselves.
    #[error("sketch is corrupt at byte {at}: {what}")]
    Corrupt {
        /// Where.
        at: usize,
        /// In which way.
        what: &'static str,
    },
}

/// What both decoders ask of the next bucket: indexes ascend, lie where floats lie, and do not span
/// more than a sketch may hold.
#[derive(Default)]
struct Order {
    first: Option<i32>,
    last: i32,
}

impl Order {
    fn check(&mut self, index: i64, at: usize) -> Result<i32, DecodeError> {
        let corrupt = |what| Err(DecodeError::Corrupt { at, what });
        let Some(index) = i32::try_from(index).ok().filter(|index| INDEXES.contains(index)) else {
            return corrupt("a bucket lies outside the range of floats");
        };
        match self.first {
            Some(_) if index <= self.last => return corrupt("buckets do not ascend"),
            Some(first) if (index - first) as usize >= BUCKETS_MAX => return corrupt("buckets span too far"),
            Some(_) => {}
            None => self.first = Some(index),
        }
        self.last = index;
        Ok(index)
    }
}
