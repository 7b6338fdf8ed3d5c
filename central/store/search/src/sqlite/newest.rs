//! The best lines so far.

use std::collections::BTreeMap;

use crate::line::{Line, LineId};
use crate::page::PAGE_BYTES_MAX;

/// Which end of the order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Newest,
    Oldest,
}

/// Up to a number of lines and bytes, and no worse than those that were let go.
pub(super) struct Best {
    keep: Keep,
    limit: usize,
    lines: BTreeMap<LineId, Line>,
    bytes: usize,
    /// Lines at or beyond it were let go.
    cut: Option<LineId>,
}

impl Best {
    pub(super) const fn new(keep: Keep, limit: usize) -> Self {
        Self { keep, limit, lines: BTreeMap::new(), bytes: 0, cut: None }
    }

    pub(super) fn keeps(&self, keep: Keep) -> bool {
        self.keep == keep
    }

    /// Whether a line at this place would be kept.
    pub(super) fn wants(&self, id: &LineId) -> bool {
        self.cut.is_none_or(|cut| match self.keep {
            Keep::Newest => *id > cut,
            Keep::Oldest => *id < cut,
        })
    }

    pub(super) fn add(&mut self, line: Line) {
        self.bytes += line.weight();
        self.lines.insert(line.id, line);
        while self.lines.len() > self.limit || (self.bytes > PAGE_BYTES_MAX && self.lines.len() > 1) {
            let worst = match self.keep {
                Keep::Newest => self.lines.pop_first(),
                Keep::Oldest => self.lines.pop_last(),
            };
            let Some((id, line)) = worst else { return };
            self.bytes -= line.weight();
            self.cut = Some(id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether lines of this instant and before cannot be among the newest any more.
    pub(super) fn is_above(&self, at: i64) -> bool {
        let is_full = self.cut.is_some() || self.lines.len() >= self.limit;
        is_full && self.lines.first_key_value().is_none_or(|(oldest, _)| oldest.at > at)
    }

    /// Whether more were found than were kept.
    pub(super) const fn was_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Lets go of lines of this instant and before, which may not be all that there are.
    pub(super) fn forget_until(&mut self, at: i64) {
        self.lines = self.lines.split_off(&LineId::first_at(at.saturating_add(1)));
    }

    /// Oldest first.
    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines.into_values().collect()
    }
}
