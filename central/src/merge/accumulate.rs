//! The open cells of one service: cumulative sums of the seconds that records may still change.

use goldentime_model::Second;
use goldentime_windows::cell::Overflow;
use goldentime_windows::{SecondCell, Tier};

/// A cell that is still added to.
#[derive(Debug)]
pub struct OpenCell {
    /// Width of its bucket.
    pub tier: Tier,
    /// First second of its bucket.
    pub start: Second,
    /// Offset that the stored base reached when the cell was opened: records at or below it are in
    /// the base already. Zero without a base.
    base_offset: u64,
    /// Last offset added.
    pub offset: u64,
    /// Changed since it was last written.
    pub dirty: bool,
    /// Changed since it was last judged.
    pub touched: bool,
    /// The sums.
    pub cell: SecondCell,
}

/// All open cells of one service. About a dozen seconds and two or three buckets of ten, so a
/// linear search from the newest beats any map.
#[derive(Debug, Default)]
pub struct OpenCells {
    cells: Vec<OpenCell>,
}

/// What a bucket of `tier` that holds `second` starts with.
#[must_use]
pub const fn bucket_start(tier: Tier, second: Second) -> Second {
    Second(second.0 - second.0.rem_euclid(tier.width_s()))
}

impl OpenCells {
    /// Whether the cell is open.
    #[must_use]
    pub fn is_open(&self, tier: Tier, start: Second) -> bool {
        self.position(tier, start).is_some()
    }

    /// Opens a cell on its stored base, if it has one.
    pub fn open(&mut self, tier: Tier, start: Second, base: Option<(u64, SecondCell)>) {
        let (offset, cell) = base.unwrap_or_default();
        self.cells.push(OpenCell {
            tier,
            start,
            base_offset: offset,
            offset,
            dirty: false,
            touched: true,
            cell,
        });
    }

    /// Adds to both cells that hold `second`, unless their bases hold the record at `offset` already.
    /// Returns whether the second's own cell changed, and what did not fit.
    pub fn add(
        &mut self,
        second: Second,
        offset: u64,
        mut add: impl FnMut(&mut SecondCell) -> Overflow,
    ) -> (bool, Overflow) {
        let mut overflow = Overflow::default();
        let mut changed = false;
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            let start = bucket_start(tier, second);
            let at = self.position(tier, start).unwrap_or_else(|| {
                self.open(tier, start, None);
                self.cells.len() - 1
            });
            let open = &mut self.cells[at];
            if offset <= open.base_offset {
                continue;
            }
            let more = add(&mut open.cell);
            open.offset = offset;
            open.dirty = true;
            if tier == Tier::OneSecond {
                open.touched = true;
                changed = true;
                overflow = more;
            }
        }
        (changed, overflow)
    }

    /// Cells that changed since they were last written.
    pub fn dirty(&mut self, tier: Tier) -> impl Iterator<Item = &mut OpenCell> {
        self.cells.iter_mut().filter(move |open| open.dirty && open.tier == tier)
    }

    /// One-second cells that changed since they were last judged.
    pub fn touched(&mut self) -> impl Iterator<Item = &mut OpenCell> {
        self.cells.iter_mut().filter(|open| open.touched && open.tier == Tier::OneSecond)
    }

    /// Open one-second cells, in no order.
    pub fn seconds(&self) -> impl Iterator<Item = &OpenCell> {
        self.cells.iter().filter(|open| open.tier == Tier::OneSecond)
    }

    /// Lets go of written cells that no record can change any more: those that end before `oldest`.
    pub fn close_before(&mut self, oldest: Second) {
        self.cells.retain(|open| open.dirty || open.start.offset(open.tier.width_s()) > oldest);
    }

    /// Whether no cell is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    fn position(&self, tier: Tier, start: Second) -> Option<usize> {
        self.cells.iter().rposition(|open| open.start == start && open.tier == tier)
    }
}

#[cfg(test)]
mod tests {
    use goldentime_model::Outcome;

    use super::*;

    fn one_request(cell: &mut SecondCell) -> Overflow {
        cell.total.counts.add_outcome(Outcome::Ok, 1);
        Overflow::default()
    }

    #[test]
    fn a_record_that_the_stored_base_holds_already_is_not_added_again() {
        let mut base = SecondCell::default();
        base.total.counts.ok = 5;
        let mut cells = OpenCells::default();
        cells.open(Tier::OneSecond, Second(42), Some((7, base)));
        assert!(!cells.add(Second(42), 7, one_request).0);
        assert!(cells.add(Second(42), 8, one_request).0);
        assert_eq!(cells.seconds().next().expect("open").cell.total.counts.ok, 6);
    }

    #[test]
    fn both_tiers_hold_the_same_requests() {
        let mut cells = OpenCells::default();
        for second in 40..50 {
            let (changed, _) = cells.add(Second(second), second.unsigned_abs(), one_request);
            assert!(changed);
        }
        let ten: Vec<_> = cells.dirty(Tier::TenSeconds).map(|open| open.cell.total.counts.ok).collect();
        assert_eq!(ten, [10]);
        assert_eq!(cells.dirty(Tier::OneSecond).count(), 10);
    }

    #[test]
    fn a_cell_is_let_go_only_once_it_is_written() {
        let mut cells = OpenCells::default();
        assert!(cells.add(Second(42), 1, one_request).0);
        cells.close_before(Second(1000));
        assert!(!cells.is_empty());
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            cells.dirty(tier).for_each(|open| open.dirty = false);
        }
        cells.close_before(Second(1000));
        assert!(cells.is_empty());
    }
}
