//! The open cells of one service: cumulative sums of the seconds that records may still change.

use goldentime_model::Second;
use goldentime_windows::cell::Overflow;
use goldentime_windows::{SecondCell, Tier};

use super::lateness::{LogTime, Pass, judged_until};
use super::pool::{Held, Pool};

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
    /// It stands on what the store gave, which may be less than was put: it is not written before that is known.
    unsure: bool,
    /// The sums.
    pub cell: SecondCell,
    /// Their memory.
    held: Held,
}

/// All open cells of one service. About a dozen seconds and two or three buckets of ten, and those
/// that late records opened again, so a linear search from the newest beats any map.
#[derive(Debug, Default)]
pub struct OpenCells {
    cells: Vec<OpenCell>,
    pool: Pool,
}

impl OpenCells {
    /// None, whose memory will be counted in `pool`.
    #[must_use]
    pub const fn counted_in(pool: Pool) -> Self {
        Self { cells: Vec::new(), pool }
    }

    /// Whether the cell is open.
    #[must_use]
    pub fn is_open(&self, tier: Tier, start: Second) -> bool {
        self.position(tier, start).is_some()
    }

    /// Opens a cell on what the store gave as its base, if it gave any.
    pub fn open(&mut self, tier: Tier, start: Second, base: Option<(u64, SecondCell)>, pass: Pass) {
        let (offset, cell) = base.unwrap_or_default();
        self.push((tier, start), (offset, cell), pass, true);
    }

    fn push(
        &mut self,
        (tier, start): (Tier, Second),
        (offset, cell): (u64, SecondCell),
        pass: Pass,
        unsure: bool,
    ) {
        let held = self.pool.hold(size_of::<OpenCell>() + cell.heap_bytes());
        self.cells.push(OpenCell {
            tier,
            start,
            base_offset: offset,
            offset,
            dirty: false,
            touched: pass == Pass::Live,
            unsure,
            cell,
            held,
        });
    }

    /// Adds to a cell, opened if need be, unless its base holds the record at `offset` already. Gives
    /// what did not fit.
    pub fn add(
        &mut self,
        (tier, start): (Tier, Second),
        offset: u64,
        pass: Pass,
        add: impl FnOnce(&mut SecondCell) -> Overflow,
    ) -> Overflow {
        let at = self.position(tier, start).unwrap_or_else(|| {
            self.push((tier, start), Default::default(), pass, false);
            self.cells.len() - 1
        });
        let open = &mut self.cells[at];
        if offset <= open.base_offset {
            return Overflow::default();
        }
        if pass == Pass::Late && open.cell.judged.is_none() {
            open.held.grow(size_of::<SecondCell>() + open.cell.heap_bytes());
            open.cell.end_judged();
        }
        open.offset = offset;
        open.dirty = true;
        open.touched |= pass == Pass::Live;
        let overflow = add(&mut open.cell);
        open.held.grow(overflow.grown);
        overflow
    }

    /// Lets go of written cells that begin at `start`, judged or not: whoever adds to them opens them
    /// again on what is stored.
    pub fn evict(&mut self, start: Second) {
        self.cells.retain(|open| open.start != start || open.dirty);
    }

    /// What the store gave was all that had been put.
    pub fn sure(&mut self) {
        self.cells.iter_mut().for_each(|open| open.unsure = false);
    }

    /// From which second of log time on no cell is judged that stands on what the store gave, if there are any.
    #[must_use]
    pub fn unsure_until(&self) -> Option<Second> {
        let unsure = self.cells.iter().filter(|open| open.unsure);
        unsure.map(|open| judged_until(open.tier, open.start)).max()
    }

    /// Lets go of cells that stand on what the store gave, where `which` says so.
    pub fn forget_unsure(&mut self, which: impl Fn(&OpenCell) -> bool) {
        self.cells.retain(|open| !open.unsure || !which(open));
    }

    /// Lets go of cells to which no window reaches back at `present`.
    pub fn forget_expired(&mut self, present: LogTime) {
        self.cells.retain(|open| present.is_kept(open.tier, open.start));
    }

    /// Counts every cell as changed; gives how many there are.
    pub fn all_dirty(&mut self) -> usize {
        self.cells.iter_mut().for_each(|open| open.dirty = true);
        self.cells.len()
    }

    /// Cells that changed since they were last written, and may be.
    pub fn dirty(&mut self, tier: Tier) -> impl Iterator<Item = &mut OpenCell> {
        self.cells.iter_mut().filter(move |open| open.dirty && !open.unsure && open.tier == tier)
    }

    /// One-second cells that changed since they were last judged.
    pub fn touched(&mut self) -> impl Iterator<Item = &mut OpenCell> {
        self.cells.iter_mut().filter(|open| open.touched && open.tier == Tier::OneSecond)
    }

    /// Where open cells begin, in no order.
    pub fn starts(&self) -> impl Iterator<Item = Second> {
        self.cells.iter().map(|open| open.start)
    }

    /// Open one-second cells, in no order.
    pub fn seconds(&self) -> impl Iterator<Item = &OpenCell> {
        self.cells.iter().filter(|open| open.tier == Tier::OneSecond)
    }

    /// Lets go of written cells that are not judged any more. Says how many such are left because
    /// they are not written.
    pub fn close(&mut self, log_time: LogTime) -> usize {
        let mut unwritten = 0;
        self.cells.retain(|open| {
            let closed = !log_time.is_judged(open.tier, open.start);
            unwritten += usize::from(closed && open.dirty);
            !closed || open.dirty
        });
        unwritten
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

    fn log_at(second: i64) -> LogTime {
        LogTime::restore(Second(second).start())
    }

    #[test]
    fn a_record_that_the_stored_base_holds_already_is_not_added_again() {
        let mut base = SecondCell::default();
        base.total.counts.ok = 5;
        let mut cells = OpenCells::default();
        let place = (Tier::OneSecond, Second(42));
        cells.open(place.0, place.1, Some((7, base)), Pass::Live);
        for offset in [7, 8] {
            assert_eq!(cells.add(place, offset, Pass::Live, one_request), Overflow::default());
        }
        assert_eq!(cells.seconds().next().expect("open").cell.total.counts.ok, 6);
    }

    #[test]
    fn what_came_too_late_to_be_judged_does_not_touch_its_second() {
        let mut cells = OpenCells::default();
        let place = (Tier::OneSecond, Second(42));
        assert_eq!(cells.add(place, 1, Pass::Late, one_request), Overflow::default());
        assert_eq!((cells.touched().count(), cells.dirty(Tier::OneSecond).count()), (0, 1));
    }

    #[test]
    fn a_cell_is_let_go_only_once_it_is_written() {
        let mut cells = OpenCells::default();
        let place = (Tier::OneSecond, Second(42));
        assert_eq!(cells.add(place, 1, Pass::Live, one_request), Overflow::default());
        assert_eq!(cells.close(log_at(1000)), 1);
        cells.dirty(Tier::OneSecond).for_each(|open| open.dirty = false);
        assert_eq!(cells.close(log_at(52)), 0);
        assert!(!cells.is_empty());
        assert_eq!(cells.close(log_at(53)), 0);
        assert!(cells.is_empty());
    }
}
