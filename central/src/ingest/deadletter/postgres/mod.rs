//! Dead letters of a cluster in PostgreSQL. [`list`] looks at them, [`keep`] writes what the topic holds, [`replays`] is
//! what is asked of them.

mod keep;
mod list;
mod replays;

use std::future::Future;
use std::sync::Arc;

use goldentime_follower::BoxFuture;
use goldentime_log::Entry;
use goldentime_log::kafka::Letter as Sent;
use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, Error, Layout, PostgresConfig};
use goldentime_wire::record::StreamId;

pub use keep::Held;

use super::letter::{Letter, LetterId};
use super::replays::{Decision, Placed, Progress, Replay, ReplayStore, Requested, StillRefused, Wanted};
use super::store::{Filter, LetterStore, LettersError, Page, PageRequest, ReasonCount};

const LAYOUT: Layout = Layout {
    part: "letters",
    steps: &[include_str!("../../../../../migrations/postgres/letters/0001_dead_letters.sql")],
};

/// The letters of a cluster. Cheap to clone; clones share their connections. The database is reached by its first use
/// that succeeds.
#[derive(Clone, Debug)]
pub struct PostgresLetters {
    database: Arc<Database>,
}

impl PostgresLetters {
    /// Letters of which nothing was asked yet.
    #[must_use]
    pub fn new(config: PostgresConfig) -> Self {
        Self { database: Arc::new(Database::new(config, LAYOUT)) }
    }

    /// Brings the database to this version's layout, which its first use does as well.
    pub async fn migrate(&self) -> Result<(), LettersError> {
        self.call("bring the database to this version's layout", self.database.migrate()).await
    }

    /// Keeps letters with the places that they have in the topic, all or none. One that is there already is only
    /// counted, and one that was read before from the same place is not even that; a line that was replayed and
    /// was rejected anew is the letter that it was. Gives what the new ones count for against the bound in bytes.
    pub async fn keep(&self, letters: &[(Sent, Entry)]) -> Result<i64, LettersError> {
        self.call("keep dead letters", keep::keep(&self.database, letters)).await
    }

    /// Drops what was refused before `before`, and gives what is held.
    pub async fn expire(&self, before: UnixNanos) -> Result<Held, LettersError> {
        self.call("drop old dead letters", keep::expire(&self.database, before)).await
    }

    /// Drops some of the oldest, but none that is just being replayed; gives what each counted for.
    pub async fn drop_oldest(&self) -> Result<Vec<i64>, LettersError> {
        self.call("make room for dead letters", keep::drop_oldest(&self.database)).await
    }

    async fn call<T>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, LettersError> {
        self.database.within(call).await.map_err(|error| LettersError::Unavailable {
            place: self.database.place(),
            action,
            source: error.into(),
        })
    }
}

impl LetterStore for PostgresLetters {
    fn place(&self) -> String {
        self.database.place()
    }

    fn list(&self, filter: Filter, page: PageRequest) -> BoxFuture<'_, Result<Page, LettersError>> {
        Box::pin(self.call("list dead letters", list::page(&self.database, filter, page)))
    }

    fn read(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, LettersError>> {
        Box::pin(async move {
            let Some(id) = list::number(&id) else { return Ok(None) };
            self.letter(id).await
        })
    }

    fn summary(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<ReasonCount>, LettersError>> {
        Box::pin(self.call("count dead letters", list::counts(&self.database, filter)))
    }
}

impl ReplayStore for PostgresLetters {
    fn request<'a>(
        &'a self,
        wanted: &'a Wanted,
        again: bool,
        stream: StreamId,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<Requested, LettersError>> {
        Box::pin(self.call("ask for a replay", replays::request(&self.database, wanted, again, stream, now)))
    }

    fn withdraw(&self, replay: i64) -> BoxFuture<'_, Result<bool, LettersError>> {
        Box::pin(self.call("take a replay back", replays::withdraw(&self.database, replay)))
    }

    fn progress(&self, replay: i64) -> BoxFuture<'_, Result<Progress, LettersError>> {
        Box::pin(self.call("see how far a replay has come", replays::progress(&self.database, replay)))
    }

    fn refused(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<StillRefused>, LettersError>> {
        let refused = replays::refused(&self.database, replay, limit);
        Box::pin(self.call("see what a replay could not give back", refused))
    }

    fn next(&self, now: UnixNanos) -> BoxFuture<'_, Result<Option<Replay>, LettersError>> {
        Box::pin(self.call("look for a replay", replays::next(&self.database, now)))
    }

    fn placed(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<Placed>, LettersError>> {
        Box::pin(self.call("read a replay", replays::placed(&self.database, replay, limit)))
    }

    fn waiting(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<(i64, i64)>, LettersError>> {
        Box::pin(self.call("read a replay", replays::waiting(&self.database, replay, limit)))
    }

    fn letter(&self, letter: i64) -> BoxFuture<'_, Result<Option<Letter>, LettersError>> {
        Box::pin(self.call("read a dead letter", list::letter(&self.database, letter)))
    }

    fn decide<'a>(
        &'a self,
        replay: i64,
        decisions: &'a [(i64, Decision)],
    ) -> BoxFuture<'a, Result<(), LettersError>> {
        let decided = replays::decide(&self.database, replay, decisions);
        Box::pin(self.call("write down what a replay decided", decided))
    }

    fn given<'a>(
        &'a self,
        replay: i64,
        placed: &'a [Placed],
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<(), LettersError>> {
        Box::pin(
            self.call("note what a replay gave back", replays::given(&self.database, replay, placed, now)),
        )
    }

    fn end(&self, replay: i64, now: UnixNanos) -> BoxFuture<'_, Result<(), LettersError>> {
        Box::pin(self.call("end a replay", replays::end(&self.database, replay, now)))
    }
}
