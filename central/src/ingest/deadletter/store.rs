//! The contract of those who look at dead letters.

use goldentime_follower::BoxFuture;
use goldentime_model::UnixNanos;
use serde::Serialize;

use super::letter::{Head, Letter, LetterId};

/// Letters in one answer, at most.
pub const PAGE_MAX: u32 = 1000;

/// Which letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Refused for this reason.
    pub reason: Option<String>,
    /// Of this agent, or from this host.
    pub agent: Option<String>,
    /// Not refused before this.
    pub since: Option<UnixNanos>,
    /// Also those that were replayed.
    pub with_replayed: bool,
}

/// Which part of an answer is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only letters older than this one.
    pub before: Option<LetterId>,
    /// At most so many; not more than [`PAGE_MAX`].
    pub limit: u32,
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Letters, newest first.
    pub letters: Vec<Head>,
    /// There are older ones: the next part is before this.
    pub next: Option<LetterId>,
}

/// How many letters there are of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// How many.
    pub letters: u64,
    /// Agents and hosts that they are of.
    pub senders: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// When the first was refused, in milliseconds since 1970.
    pub first_ms: i64,
    /// When the last was.
    pub last_ms: i64,
}

/// Why letters cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The store failed.
    #[error("cannot {action} in {place}")]
    Unavailable {
        /// Where letters are kept.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Where dead letters are kept, as those see it who look at them.
///
/// - **Newest first**, in the order in which they were refused; following `next` from page to page gives every
///   letter once that was there at the first page and is still kept.
/// - A letter that is gone by age or for want of room is not there: no error.
/// - A text that is no id of this store names no letter: no error either.
/// - Nothing here changes a letter, or waits for the running central.
pub trait LetterStore: Send + Sync + 'static {
    /// Where letters are kept, for people.
    fn place(&self) -> String;

    /// The newest letters that are meant.
    fn list(&self, filter: Filter, page: PageRequest) -> BoxFuture<'_, Result<Page, LettersError>>;

    /// One letter, whole; `None` when there is none.
    fn read(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, LettersError>>;

    /// How many there are of each reason, the most frequent first.
    fn summary(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<ReasonCount>, LettersError>>;
}
