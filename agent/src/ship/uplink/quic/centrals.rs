//! Which central is tried next.
//!
//! Each agent begins with one of them by chance, so that they share the agents; then it goes round. Of those that
//! a round has to try, each is tried at once: only a whole round without success is followed by a pause.

use std::time::Duration;

/// How long one of several centrals may take to answer, and to answer a ping: another may do better. Together
/// they let an agent change within some 5 s when the machine of its central is gone.
const ANSWER_MAX: Duration = Duration::from_secs(2);
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Without a pong for this long the session with the only central is given up, though the connection may seem
/// to stand. A link that fails for a moment is not worth a new session with the same.
const SILENCE_OF_ONE_MAX: Duration = Duration::from_secs(6);

/// One of several centrals that acknowledges nothing for this long is left: its way to the log may be cut, and
/// another's not. Each whole round in which none did better doubles it, up to [`DOUBLED_MAX`] times: then it is
/// the log that is away.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(6);
const DOUBLED_MAX: u32 = 5;

/// The addresses, and where the round stands.
#[derive(Clone, Debug)]
pub(super) struct Centrals {
    addresses: Vec<String>,
    present: usize,
    /// Tried since the last pause or good session.
    tried: usize,
    /// Whole rounds since the last good session.
    rounds: u32,
}

impl Centrals {
    /// Begins anywhere.
    pub(super) fn new(addresses: Vec<String>) -> Self {
        let mut bytes = [0; 8];
        // Without random numbers all begin with the first, which is worse for that one only.
        let _ = getrandom::fill(&mut bytes);
        let present = (u64::from_le_bytes(bytes) % addresses.len().max(1) as u64) as usize;
        Self { addresses, present, tried: 0, rounds: 0 }
    }

    /// The one whose turn it is.
    pub(super) fn address(&self) -> &str {
        self.addresses.get(self.present).map_or("", String::as_str)
    }

    /// It did not do: the next one has its turn. Gives whether the round is over, so that a pause is due.
    pub(super) fn give_up(&mut self) -> bool {
        self.present = (self.present + 1) % self.addresses.len().max(1);
        self.tried += 1;
        let is_over = self.tried >= self.addresses.len();
        if is_over {
            self.tried = 0;
            self.rounds = self.rounds.saturating_add(1);
        }
        is_over
    }

    /// It did well: whoever comes after it is tried anew.
    pub(super) const fn did_well(&mut self) {
        self.tried = 0;
        self.rounds = 0;
    }

    /// How long one may take to answer, if that is bounded here.
    pub(super) fn answer_max(&self) -> Option<Duration> {
        (self.addresses.len() > 1).then_some(ANSWER_MAX)
    }

    /// How long one may acknowledge nothing, if there is another to go to.
    pub(super) fn unacknowledged_max(&self) -> Option<Duration> {
        let doubled = 2_u32.pow(self.rounds.min(DOUBLED_MAX));
        (self.addresses.len() > 1).then_some(UNACKNOWLEDGED_MAX * doubled)
    }

    /// Without a pong for this long a session is given up.
    pub(super) fn silence_max(&self) -> Duration {
        if self.addresses.len() > 1 { SILENCE_MAX } else { SILENCE_OF_ONE_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize) -> Centrals {
        Centrals::new((0..count).map(|n| format!("central-{n}:7701")).collect())
    }

    #[test]
    fn agents_begin_with_any_of_them() {
        let first: std::collections::HashSet<String> = (0..200).map(|_| of(3).address().to_owned()).collect();
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn a_central_that_acknowledges_nothing_is_left_later_and_later_while_none_does_better() {
        assert_eq!(of(1).unacknowledged_max(), None, "there is nobody to go to");
        let mut centrals = of(2);
        let first = centrals.unacknowledged_max().expect("two");
        centrals.give_up();
        assert_eq!(centrals.unacknowledged_max(), Some(first), "the other one may do better");
        centrals.give_up();
        assert_eq!(centrals.unacknowledged_max(), Some(2 * first));
        for _ in 0..100 {
            centrals.give_up();
        }
        assert_eq!(centrals.unacknowledged_max(), Some(32 * first));
        centrals.did_well();
        assert_eq!(centrals.unacknowledged_max(), Some(first));
    }

    #[test]
    fn a_pause_comes_after_a_whole_round_and_every_one_has_its_turn_in_it() {
        let mut centrals = of(3);
        for _ in 0..2 {
            let mut tried = std::collections::HashSet::new();
            let mut is_over = false;
            while !is_over {
                tried.insert(centrals.address().to_owned());
                is_over = centrals.give_up();
            }
            assert_eq!(tried.len(), 3);
        }
        assert!(!centrals.give_up());
        assert!(!centrals.give_up());
        centrals.did_well();
        assert!(!centrals.give_up(), "after a good session the others are tried at once");
        assert!(of(1).give_up(), "the only one is tried again after a pause");
    }
}
