//! What keeps an answer that goes back and forth from being told each time.

/// An end is told when it has lasted so long, at first.
pub const HOLD_S: i64 = 10;
/// And after many returns so long at most.
pub const HOLD_S_MAX: i64 = 640;
/// A return within so long after an end makes the next end wait twice as long.
pub const MEMORY_S: i64 = 3600;

/// Raised at once, ended after a time that doubles with each return. A pure state machine: what it says is a
/// function of what it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flap {
    is_raised: bool,
    /// Returns that are remembered.
    returns: u8,
    /// When it ended last.
    ended: Option<i64>,
    /// Since when it seems over.
    calm_since: Option<i64>,
}

/// What changed for those who are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It began.
    Raised,
    /// It is over.
    Ended,
}

impl Flap {
    /// Whether those who are told know it as raised.
    #[must_use]
    pub const fn is_raised(&self) -> bool {
        self.is_raised
    }

    /// For how long an end must last to be told, in seconds.
    #[must_use]
    pub fn hold_s(&self) -> i64 {
        HOLD_S.saturating_mul(1 << self.returns.min(30)).min(HOLD_S_MAX)
    }

    /// Takes the answer of the second `at`.
    pub fn step(&mut self, at: i64, answer: bool) -> Option<Told> {
        match (self.is_raised, answer) {
            (false, true) => {
                let returned = self.ended.is_some_and(|ended| at.saturating_sub(ended) <= MEMORY_S);
                self.returns = if returned { self.returns.saturating_add(1).min(30) } else { 0 };
                (self.is_raised, self.calm_since) = (true, None);
                Some(Told::Raised)
            }
            (true, true) => {
                self.calm_since = None;
                None
            }
            (true, false) => {
                let since = *self.calm_since.get_or_insert(at);
                if at.saturating_sub(since) < self.hold_s() {
                    return None;
                }
                (self.is_raised, self.ended, self.calm_since) = (false, Some(at), None);
                Some(Told::Ended)
            }
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_that_goes_back_and_forth_is_told_ever_more_seldom() {
        let (mut flap, mut told) = (Flap::default(), 0);
        for at in 0..7200 {
            told += usize::from(flap.step(at, at % 60 < 20).is_some());
        }
        // Without flap control it would be 240.
        assert!((3..=8).contains(&told), "{told}");
    }

    #[test]
    fn after_a_quiet_hour_it_ends_as_fast_as_at_first() {
        let mut flap = Flap::default();
        let mut at = 0;
        for _ in 0..3 {
            assert_eq!(flap.step(at, true), Some(Told::Raised));
            while flap.step(at, false) != Some(Told::Ended) {
                at += 1;
            }
        }
        assert!(flap.hold_s() > HOLD_S);
        at += MEMORY_S + 1;
        assert_eq!(flap.step(at, true), Some(Told::Raised));
        assert_eq!(flap.hold_s(), HOLD_S);
    }

    proptest! {
        #[test]
        fn begin_and_end_take_turns_and_a_beginning_is_never_late(answers: Vec<bool>) {
            let mut flap = Flap::default();
            let mut last = Told::Ended;
            for (at, answer) in answers.into_iter().enumerate() {
                if let Some(told) = flap.step(at as i64, answer) {
                    prop_assert_ne!(told, last);
                    last = told;
                }
                prop_assert!(!answer || flap.is_raised());
            }
        }
    }
}
