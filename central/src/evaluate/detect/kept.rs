//! What sequential tests have learned, as a checkpoint keeps it.
//!
//! A version byte, then for each test: fingerprint of its alert (8 bytes, little-endian), kind (1), length (2),
//! and so many bytes, which have a version of their own. What cannot be read is learned anew.

use goldentime_detect::Evidence;
use goldentime_detect::bytes::DecodeError;
use goldentime_model::Fingerprint;
use goldentime_model::metric_names::DROPS_TOTAL;
use hashbrown::HashMap;

use super::guard::Guard;
use super::watch::ShiftWatch;

/// Most bytes of one partition's tests in a checkpoint: beside its table it must fit into a message.
const KEPT_BYTES_MAX: usize = 384 << 10;

const VERSION: u8 = 1;
const GUARD: u8 = 1;
const SHIFT: u8 = 2;
const HEAD_BYTES: usize = 11;

/// Gathers what is worth keeping.
#[derive(Debug)]
pub(in super::super) struct Keeper {
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    dropped: u64,
}

impl Keeper {
    pub(in super::super) fn new() -> Self {
        Self { bytes: vec![VERSION], scratch: Vec::new(), dropped: 0 }
    }

    pub(in super::super) fn guard(&mut self, of: Fingerprint, guard: &Guard, evidence: &Evidence) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&guard.limit().to_bits().to_le_bytes());
        evidence.encode(&mut self.scratch);
        self.push(of, GUARD);
    }

    pub(in super::super) fn shift(&mut self, of: Fingerprint, watch: &ShiftWatch) {
        self.scratch.clear();
        watch.encode(&mut self.scratch);
        self.push(of, SHIFT);
    }

    fn push(&mut self, of: Fingerprint, kind: u8) {
        let fits = self.bytes.len() + HEAD_BYTES + self.scratch.len() <= KEPT_BYTES_MAX;
        let Some(length) = u16::try_from(self.scratch.len()).ok().filter(|_| fits) else {
            self.dropped += 1;
            return;
        };
        self.bytes.extend_from_slice(&of.0.to_le_bytes());
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&self.scratch);
    }

    /// The bytes for the checkpoint; what found no room is counted.
    pub(in super::super) fn finish(self) -> Vec<u8> {
        if self.dropped > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "kept_bytes_max")
                .increment(self.dropped);
        }
        self.bytes
    }
}

/// What a checkpoint kept and nobody has asked for yet.
#[derive(Debug, Default)]
pub(in super::super) struct Kept(HashMap<(Fingerprint, u8), Vec<u8>>);

impl Kept {
    /// Reads what [`Keeper::finish`] gave. Bytes that are none of ours, or of a later version, are nothing kept.
    pub(in super::super) fn read(bytes: &[u8]) -> Self {
        let mut kept = HashMap::new();
        let [VERSION, rest @ ..] = bytes else { return Self::default() };
        let mut rest = rest;
        while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
            let [f0, f1, f2, f3, f4, f5, f6, f7, kind, low, high] = *head;
            let fingerprint = Fingerprint(u64::from_le_bytes([f0, f1, f2, f3, f4, f5, f6, f7]));
            let length = usize::from(u16::from_le_bytes([low, high]));
            let Some((body, next)) = after.split_at_checked(length) else { break };
            kept.insert((fingerprint, kind), body.to_vec());
            rest = next;
        }
        Self(kept)
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The evidence of an instance, if it was gathered against the same limit.
    pub(in super::super) fn take_guard(&mut self, of: Fingerprint, guard: &Guard) -> Option<Evidence> {
        let bytes = self.0.remove(&(of, GUARD))?;
        let (limit, mut rest) = bytes.split_first_chunk::<8>()?;
        if u64::from_le_bytes(*limit) != guard.limit().to_bits() {
            return None;
        }
        told(Evidence::decode(&mut rest))
    }

    /// Gives a watch what it knew before.
    pub(in super::super) fn take_shift(&mut self, of: Fingerprint, watch: &mut ShiftWatch) {
        if let Some(bytes) = self.0.remove(&(of, SHIFT)) {
            told(watch.recall(&bytes));
        }
    }
}

fn told<T>(read: Result<T, DecodeError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "what a test had learned cannot be read; it learns anew"))
        .ok()
}
