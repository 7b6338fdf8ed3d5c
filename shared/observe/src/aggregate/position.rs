//! How far inputs have read, as the spool keeps it.
//!
//! A position is opaque to everyone but the input that wrote it. It reaches the spool in the
//! transaction of the batch that was read up to it, which is why a killed agent counts nothing twice.

use std::collections::HashMap;
use std::sync::Arc;

/// Whose position it is. Stable over restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PositionKey {
    /// Name of the input, unique in the agent.
    pub input: Arc<str>,
    /// What the input reads from, such as one file's identity; the input's own words.
    pub source: Arc<str>,
}

/// A change of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PositionUpdate {
    /// Read up to here.
    Set(Vec<u8>),
    /// The source is gone and was read to its end: forget it.
    Forget,
}

/// Positions of all inputs, as loaded from the spool at start.
#[derive(Clone, Debug, Default)]
pub struct Positions(HashMap<PositionKey, Vec<u8>>);

impl Positions {
    /// What `input` wrote before the restart, by source.
    #[must_use]
    pub fn of_input(&self, input: &str) -> HashMap<Arc<str>, Vec<u8>> {
        let own = self.0.iter().filter(|(key, _)| &*key.input == input);
        own.map(|(key, bytes)| (Arc::clone(&key.source), bytes.clone())).collect()
    }

    /// Number of positions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was read before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(PositionKey, Vec<u8>)> for Positions {
    fn from_iter<I: IntoIterator<Item = (PositionKey, Vec<u8>)>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}
