//! How many requests an agent has flushed in all, and what that tells of its state folder.
//!
//! The number is kept in the agent's state folder and only grows. An agent that begins a run with fewer than an
//! earlier run was heard to have was put back to an older copy, by a restored snapshot or backup. It reads again
//! what was read since that copy, under streams of its own, and nothing tells those requests from others: they may
//! be counted twice. How many they are is known to within what it flushed between two pings.

use serde::{Deserialize, Serialize};

/// What is known of one agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flushed {
    /// Requests flushed by all its runs, as it said last.
    pub requests: u64,
    /// Requests that may be counted twice, because its state was put back to an older copy.
    pub maybe_twice: u64,
    /// When its present run began, by its own clock.
    run_ns: i64,
    /// What it had when it began.
    began_with: u64,
    /// When the run before began.
    before_ns: i64,
    /// What the run before had at the end.
    ended_with: u64,
    /// Of [`maybe_twice`](Self::maybe_twice), what earlier runs brought.
    by_earlier_runs: u64,
}

impl Flushed {
    /// An agent said hello with so many. Where they are fewer than it had, it begins a run even under a start that
    /// is known: a machine that was put back together with its memory.
    pub fn begins(&mut self, run_ns: i64, requests: u64) {
        if run_ns > self.run_ns || run_ns == self.run_ns && requests < self.requests {
            (self.before_ns, self.ended_with) = (self.run_ns, self.requests);
            self.by_earlier_runs = self.maybe_twice;
            (self.run_ns, self.began_with, self.requests) = (run_ns, requests, requests);
        }
        self.has(run_ns, requests);
    }

    /// The run that began then has so many.
    pub fn has(&mut self, run_ns: i64, requests: u64) {
        if run_ns == self.run_ns {
            self.requests = self.requests.max(requests);
        } else if run_ns == self.before_ns {
            self.ended_with = self.ended_with.max(requests);
        }
        self.maybe_twice = self.by_earlier_runs + self.ended_with.saturating_sub(self.began_with);
    }

    /// Another central knows this of the same agent.
    pub fn learn(&mut self, other: &Self) {
        let ours = *self;
        if other.run_ns > ours.run_ns && other.before_ns >= ours.run_ns {
            *self = *other;
            self.has(ours.run_ns, ours.requests);
        } else if other.run_ns > ours.run_ns {
            self.begins(other.run_ns, other.began_with);
        }
        self.by_earlier_runs = ours.by_earlier_runs.max(other.by_earlier_runs);
        self.has(other.run_ns, other.requests);
        if other.run_ns == self.run_ns {
            self.has(other.before_ns, other.ended_with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(words: &[(i64, u64)]) -> Flushed {
        let mut flushed = Flushed::default();
        for (run, requests) in words {
            flushed.begins(*run, *requests);
        }
        flushed
    }

    #[test]
    fn restarts_and_reconnects_count_nothing_twice() {
        let mut flushed = after(&[(1, 0)]);
        flushed.has(1, 50);
        for (run, requests) in [(1, 60), (2, 60), (2, 90), (5, 95)] {
            flushed.begins(run, requests);
        }
        assert_eq!((flushed.requests, flushed.maybe_twice), (95, 0));
    }

    #[test]
    fn an_agent_that_has_fewer_than_before_counts_the_difference_twice_and_each_time_once() {
        let mut flushed = after(&[(1, 100), (2, 70)]);
        assert_eq!((flushed.requests, flushed.maybe_twice), (70, 30));
        flushed.has(2, 200);
        flushed.begins(2, 210);
        flushed.begins(3, 220);
        assert_eq!(flushed.maybe_twice, 30);
        // With its memory, as a virtual machine is put back.
        flushed.begins(3, 215);
        assert_eq!((flushed.requests, flushed.maybe_twice), (215, 35));
    }

    #[test]
    fn what_another_central_heard_of_the_run_before_is_learnt_late() {
        let mut elsewhere = after(&[(1, 100)]);
        let mut here = after(&[(1, 80), (2, 70)]);
        assert_eq!(here.maybe_twice, 10);
        elsewhere.has(1, 120);
        here.learn(&elsewhere);
        here.learn(&elsewhere);
        assert_eq!((here.requests, here.maybe_twice), (70, 50));
        elsewhere.learn(&here);
        assert_eq!(elsewhere, here);
    }

    #[test]
    fn a_central_that_starts_learns_what_the_others_know() {
        let elsewhere = after(&[(1, 100), (2, 70), (3, 60)]);
        assert_eq!(elsewhere.maybe_twice, 40);
        let mut here = Flushed::default();
        here.learn(&elsewhere);
        assert_eq!(here, elsewhere);
    }

    #[test]
    fn a_central_that_learns_of_a_run_elsewhere_knows_it_as_if_it_had_been_there() {
        let mut here = after(&[(1, 100)]);
        here.learn(&after(&[(2, 100)]));
        here.begins(3, 90);
        assert_eq!((here.requests, here.maybe_twice), (90, 10));
    }
}
