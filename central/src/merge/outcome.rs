//! What became of records, and how it is counted.

use goldentime_model::metric_names::DROPS_TOTAL;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was added to its windows, or noted as progress.
    Merged,
    /// The same, but for what belongs into cells that are not judged any more.
    LateInPart,
    /// Its number was applied before.
    Repeat,
    /// Its offset was applied before.
    Behind,
    /// It is of a new service, and there is no room for one more.
    NoRoom,
}

/// What became of a batch, counted once a batch: a metric costs as much as a merge.
#[derive(Default)]
pub(super) struct Outcomes {
    merged: u64,
    repeats: u64,
    behind: u64,
    no_room: u64,
}

impl Outcomes {
    pub(super) const fn take(&mut self, applied: Applied) {
        match applied {
            Applied::Merged | Applied::LateInPart => self.merged += 1,
            Applied::Repeat => self.repeats += 1,
            Applied::Behind => self.behind += 1,
            Applied::NoRoom => self.no_room += 1,
        }
    }

    pub(super) fn tell(&self) {
        metrics::counter!("goldentime_merge_records_total").increment(self.merged);
        for (by, count) in [("number", self.repeats), ("offset", self.behind)] {
            if count > 0 {
                metrics::counter!("goldentime_merge_repeats_total", "by" => by).increment(count);
            }
        }
        if self.no_room > 0 {
            let labels = [("component", "merge"), ("reason", "services_max")];
            metrics::counter!(DROPS_TOTAL, &labels).increment(self.no_room);
        }
    }
}

/// Events of one record by how late they came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    /// Judged.
    pub(super) live: u64,
    /// Judged in the present, for their agent's clock is ahead.
    pub(super) clamped: u64,
    /// Not judged, only added to windows.
    pub(super) late: u64,
    /// Older than any window reaches.
    pub(super) too_late: u64,
}

impl Events {
    pub(super) fn tell(self) {
        if self.clamped > 0 {
            metrics::counter!("goldentime_merge_clamped_total", "what" => "event").increment(self.clamped);
        }
        if self.late > 0 {
            metrics::counter!("goldentime_merge_late_total").increment(self.late);
        }
        drop_events("too_late", self.too_late);
    }
}

/// Counts events that no window will hold.
pub(super) fn drop_events(reason: &'static str, events: u64) {
    if events > 0 {
        metrics::counter!(DROPS_TOTAL, "component" => "merge", "reason" => reason).increment(events);
    }
}
