//! Dead letters in a file: `dead-letters.db`. [`schema`] is its layout, [`writer`] keeps letters in it, [`replays`] what is
//! asked of it.

mod replays;
mod schema;
#[cfg(test)]
mod tests;
pub mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use goldentime_follower::BoxFuture;
use goldentime_model::UnixNanos;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous};

use goldentime_wire::record::StreamId;

use super::letter::{Head, Kind, Letter, LetterId};
use super::replays::{Decision, Placed, Progress, Replay, ReplayStore, Requested, StillRefused, Wanted};
use super::store::{Filter, LetterStore, LettersError, PAGE_MAX, Page, PageRequest, ReasonCount};

/// Name of the file, in the state folder.
pub const FILE: &str = "dead-letters.db";

/// How long a call waits while another process writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file, opened. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteLetters {
    pool: SqlitePool,
    path: PathBuf,
}

impl SqliteLetters {
    /// Opens the file, makes it if it is not there, and brings it to this version's layout.
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = goldentime_sqlite::pool(2).connect_with(options).await?;
        schema::bring_up_to_date(&pool).await?;
        Ok(Self { pool, path: path.to_owned() })
    }

    /// The letter of a number.
    async fn of_number(&self, id: i64) -> Result<Option<Letter>, sqlx::Error> {
        let row = sqlx::query("SELECT *, length(record) AS bytes FROM dead_letters WHERE id = ?");
        Ok(row.bind(id).fetch_optional(&self.pool).await?.as_ref().map(|row| Letter {
            head: head(row),
            project: row.get("project"),
            record: row.get::<Vec<u8>, _>("record").into(),
            key: Bytes::new(),
            is_shipped: false,
            is_cut: row.get("is_cut"),
        }))
    }

    async fn page(&self, filter: &Filter, page: &PageRequest) -> Result<Page, sqlx::Error> {
        let before = match &page.before {
            None => i64::MAX,
            Some(id) => match number(id) {
                Some(number) => number,
                None => return Ok(Page::default()),
            },
        };
        let limit = page.limit.clamp(1, PAGE_MAX);
        let rows = sqlx::query(
            "SELECT id, at, last_at, agent, host, service, kind, reason, detail, length(record) AS bytes, times, replayed_at \
             FROM dead_letters WHERE (?1 IS NULL OR reason = ?1) AND (?2 IS NULL OR agent = ?2 OR host = ?2) \
             AND at >= ?3 AND (?4 OR replayed_at IS NULL) AND id < ?5 ORDER BY id DESC LIMIT ?6",
        );
        let rows = rows
            .bind(&filter.reason)
            .bind(&filter.agent)
            .bind(since(filter))
            .bind(filter.with_replayed)
            .bind(before)
            .bind(limit + 1)
            .fetch_all(&self.pool)
            .await?;
        let mut letters: Vec<_> = rows.iter().map(head).collect();
        let is_more = letters.len() > limit as usize;
        letters.truncate(limit as usize);
        let next = letters.last().filter(|_| is_more).map(|last| last.id.clone());
        Ok(Page { letters, next })
    }

    async fn counts(&self, filter: &Filter) -> Result<Vec<ReasonCount>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT reason, count(*) AS letters, count(DISTINCT agent || '/' || host) AS senders, \
             sum(length(record)) AS bytes, min(at) AS first, max(coalesce(last_at, at)) AS last FROM dead_letters \
             WHERE (?1 IS NULL OR reason = ?1) AND (?2 IS NULL OR agent = ?2 OR host = ?2) AND at >= ?3 \
             AND (?4 OR replayed_at IS NULL) GROUP BY reason ORDER BY letters DESC, reason",
        );
        let rows = rows
            .bind(&filter.reason)
            .bind(&filter.agent)
            .bind(since(filter))
            .bind(filter.with_replayed)
            .fetch_all(&self.pool)
            .await?;
        let count = |row: &SqliteRow, name| u64::try_from(row.get::<i64, _>(name)).unwrap_or(0);
        let millis = |row: &SqliteRow, name| UnixNanos(row.get(name)).as_millis();
        let counts = rows.iter().map(|row| ReasonCount {
            reason: row.get("reason"),
            letters: count(row, "letters"),
            senders: count(row, "senders"),
            bytes: count(row, "bytes"),
            first_ms: millis(row, "first"),
            last_ms: millis(row, "last"),
        });
        Ok(counts.collect())
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(sqlx::Error) -> LettersError {
        let place = self.path.display().to_string();
        move |source| LettersError::Unavailable { place, action, source: source.into() }
    }
}

impl LetterStore for SqliteLetters {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&self, filter: Filter, page: PageRequest) -> BoxFuture<'_, Result<Page, LettersError>> {
        Box::pin(async move { self.page(&filter, &page).await.map_err(self.failed("list dead letters")) })
    }

    fn read(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, LettersError>> {
        Box::pin(async move {
            let Some(id) = number(&id) else { return Ok(None) };
            self.of_number(id).await.map_err(self.failed("read a dead letter"))
        })
    }

    fn summary(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<ReasonCount>, LettersError>> {
        Box::pin(async move { self.counts(&filter).await.map_err(self.failed("count dead letters")) })
    }
}

impl ReplayStore for SqliteLetters {
    fn request<'a>(
        &'a self,
        wanted: &'a Wanted,
        again: bool,
        stream: StreamId,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<Requested, LettersError>> {
        let asked = replays::request(&self.pool, wanted, again, stream, now);
        Box::pin(async { asked.await.map_err(self.failed("ask for a replay")) })
    }

    fn withdraw(&self, replay: i64) -> BoxFuture<'_, Result<bool, LettersError>> {
        let gone = replays::withdraw(&self.pool, replay);
        Box::pin(async { gone.await.map_err(self.failed("take a replay back")) })
    }

    fn progress(&self, replay: i64) -> BoxFuture<'_, Result<Progress, LettersError>> {
        let progress = replays::progress(&self.pool, replay);
        Box::pin(async { progress.await.map_err(self.failed("see how far a replay has come")) })
    }

    fn refused(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<StillRefused>, LettersError>> {
        let refused = replays::refused(&self.pool, replay, limit);
        Box::pin(async { refused.await.map_err(self.failed("see what a replay could not give back")) })
    }

    fn next(&self, now: UnixNanos) -> BoxFuture<'_, Result<Option<Replay>, LettersError>> {
        let next = replays::next(&self.pool, now);
        Box::pin(async { next.await.map_err(self.failed("look for a replay")) })
    }

    fn placed(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<Placed>, LettersError>> {
        let placed = replays::placed(&self.pool, replay, limit);
        Box::pin(async { placed.await.map_err(self.failed("read a replay")) })
    }

    fn waiting(&self, replay: i64, limit: u32) -> BoxFuture<'_, Result<Vec<(i64, i64)>, LettersError>> {
        let waiting = replays::waiting(&self.pool, replay, limit);
        Box::pin(async { waiting.await.map_err(self.failed("read a replay")) })
    }

    fn letter(&self, letter: i64) -> BoxFuture<'_, Result<Option<Letter>, LettersError>> {
        let letter = self.of_number(letter);
        Box::pin(async { letter.await.map_err(self.failed("read a dead letter")) })
    }

    fn decide<'a>(
        &'a self,
        replay: i64,
        decisions: &'a [(i64, Decision)],
    ) -> BoxFuture<'a, Result<(), LettersError>> {
        let decided = replays::decide(&self.pool, replay, decisions);
        Box::pin(async { decided.await.map_err(self.failed("write down what a replay decided")) })
    }

    fn given<'a>(
        &'a self,
        replay: i64,
        placed: &'a [Placed],
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<(), LettersError>> {
        let given = replays::given(&self.pool, replay, placed, now);
        Box::pin(async { given.await.map_err(self.failed("note what a replay gave back")) })
    }

    fn end(&self, replay: i64, now: UnixNanos) -> BoxFuture<'_, Result<(), LettersError>> {
        let ended = replays::end(&self.pool, replay, now);
        Box::pin(async { ended.await.map_err(self.failed("end a replay")) })
    }
}

/// The number that an id stands for, if it is one of this store.
fn number(id: &LetterId) -> Option<i64> {
    id.0.parse().ok().filter(|number| *number > 0)
}

fn since(filter: &Filter) -> i64 {
    filter.since.map_or(i64::MIN, |since| since.0)
}

fn head(row: &SqliteRow) -> Head {
    let count = |name| u64::try_from(row.get::<i64, _>(name)).unwrap_or(0);
    Head {
        id: LetterId(row.get::<i64, _>("id").to_string()),
        at: UnixNanos(row.get("at")),
        last_at: UnixNanos(row.get::<Option<i64>, _>("last_at").unwrap_or_else(|| row.get("at"))),
        agent: row.get("agent"),
        host: row.get("host"),
        service: row.get("service"),
        source: String::new(),
        kind: Kind::read(row.get("kind")),
        reason: row.get("reason"),
        detail: row.get("detail"),
        bytes: count("bytes"),
        times: count("times"),
        replayed_at: row.get::<Option<i64>, _>("replayed_at").map(UnixNanos),
    }
}
