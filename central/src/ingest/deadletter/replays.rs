//! The contract of replays: who asked for which letters, and how far each has come.

use goldentime_follower::BoxFuture;
use goldentime_model::UnixNanos;
use goldentime_wire::record::StreamId;

use super::letter::{Letter, LetterId};
use super::store::{Filter, LetterStore, LettersError};
use crate::ingest::validity::Refusal;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These letters.
    Ids(Vec<LetterId>),
    /// All of these.
    All(Filter),
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// The replays that are to be waited for: the new one, and those at which one of the letters is already.
    pub replays: Vec<i64>,
    /// The new one, unless there was nothing for it.
    pub new: Option<i64>,
    /// Letters of the new one.
    pub letters: u64,
    /// Letters that an earlier request has under way.
    pub under_way: u64,
    /// Letters that were named and were replayed before.
    pub replayed: Vec<LetterId>,
    /// Letters that were named and are not there.
    pub missing: Vec<LetterId>,
}

/// How far replays have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Replays that no central has taken up yet.
    pub not_begun: u64,
    /// Letters of earlier replays that are still open.
    pub ahead: u64,
    /// Letters that are neither given back nor refused.
    pub open: u64,
    /// Letters that the log has.
    pub given: u64,
    /// Of these, those whose seconds are not judged any more.
    pub late: u64,
    /// Of these, log lines.
    pub lines: u64,
    /// Letters that were refused again.
    pub refused: u64,
}

/// A replay that is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its number.
    pub id: i64,
    /// The stream of what is judged.
    pub stream: StreamId,
    /// The stream of log lines. Where they are read apart, another one: each has its numbers without gaps.
    pub lines: StreamId,
    /// When a central took it up first.
    pub begun_at: UnixNanos,
}

/// A letter's place in the streams of its replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The letter.
    pub letter: i64,
    /// Partition.
    pub partition: u32,
    /// Number within it of what is judged.
    pub number: Option<u64>,
    /// Number within it of what is a log line.
    pub line_number: Option<u64>,
}

/// What was decided about a letter.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It goes into this partition.
    Admitted {
        /// Which.
        partition: u32,
        /// Something of it is judged.
        is_judged: bool,
        /// Something of it is a log line.
        is_line: bool,
        /// All of it is of seconds that are not judged any more.
        is_late: bool,
    },
    /// It stays, for this reason.
    Refused(Refusal),
}

/// A letter that could not be given back, with its reason and detail now.
pub type StillRefused = (LetterId, String, String);

/// Replays, kept beside the letters: any process may ask, and a running central finds it.
///
/// - **A letter is in one open replay at most**, and in a decided place for good: what has a place and no receipt
///   is [`ReplayStore::placed`] until it was [`ReplayStore::given`] or refused, whoever placed it.
/// - Numbers are given within (replay, partition) from 1 on without a gap, in the order in which letters are decided.
/// - Any number of those who work may call at once. What another has decided or given meanwhile stays as it is.
/// - Each call is done whole or not at all. What failed may be tried again.
pub trait ReplayStore: LetterStore {
    /// Asks for letters. What was replayed before is asked for only `again`; what is under way already is not
    /// asked for twice.
    fn request<'a>(
        &'a self,
        wanted: &'a Wanted,
        again: bool,
        stream: StreamId,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<Requested, LettersError>>;

    /// Takes back what no central has taken up although nothing is before it. Gives whether that was so.
    fn withdraw(&self, replay: i64) -> BoxFuture<'_, Result<bool, LettersError>>;

    /// How far a replay has come.
    fn progress(&self, replay: i64) -> BoxFuture<'_, Result<Progress, LettersError>>;

    /// Some letters that a replay could not give back.
    fn refused(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<StillRefused>, LettersError>>;

    /// The oldest replay that has not come to its end, begun from now on.
    fn next(&self, now: UnixNanos) -> BoxFuture<'_, Result<Option<Replay>, LettersError>>;

    /// Letters that have a place and no receipt, in the order of their places.
    fn placed(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<Placed>, LettersError>>;

    /// Letters that wait for their turn, oldest first, with their sizes in bytes.
    fn waiting(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<(i64, i64)>, LettersError>>;

    /// The letter of a number.
    fn letter(&self, letter: i64) -> BoxFuture<'_, Result<Option<Letter>, LettersError>>;

    /// Writes down what was decided: places for those that go, the new reason of those that stay.
    fn decide<'a>(
        &'a self,
        replay: i64,
        decisions: &'a [(i64, Decision)],
    ) -> BoxFuture<'a, Result<(), LettersError>>;

    /// Notes that the log has these letters.
    fn given<'a>(
        &'a self,
        replay: i64,
        placed: &'a [Placed],
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<(), LettersError>>;

    /// Ends a replay.
    fn end(&self, replay: i64, now: UnixNanos) -> BoxFuture<'_, Result<(), LettersError>>;
}

impl Requested {
    pub(super) fn wait_for(&mut self, replay: i64) {
        if !self.replays.contains(&replay) {
            self.replays.push(replay);
        }
    }

    /// Sorts out what was found of a letter: its number, whether it was replayed, the open replay that it is in.
    /// Gives the number of one that is to be asked for.
    pub(super) fn sort_out(
        &mut self,
        (letter, is_replayed, under_way): (i64, bool, Option<i64>),
        again: bool,
    ) -> Option<i64> {
        if let Some(replay) = under_way {
            self.under_way += 1;
            self.wait_for(replay);
            return None;
        }
        if is_replayed && !again {
            self.replayed.push(LetterId(letter.to_string()));
            return None;
        }
        Some(letter)
    }
}

/// A letter waits for its turn.
pub(super) const WAITING: i64 = 0;
/// Its place in the stream is written down; the log may have it or not.
pub(super) const PLACED: i64 = 1;
/// The log has it.
pub(super) const GIVEN: i64 = 2;
/// It was refused again.
pub(super) const REFUSED: i64 = 3;
