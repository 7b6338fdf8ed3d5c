//! Blocks of one segment that may hold what is meant, from the last to the first.

use std::path::Path;

use goldentime_follower::StoreError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::error::failed;
use super::matcher::Range;
use super::readers::Reader;
use super::segment;

/// A block that may hold what is meant.
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) min_at: i64,
    pub(super) max_at: i64,
    /// No block before this one has a newer line.
    pub(super) newest: i64,
    pub(super) levels: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// Walks through a segment within one snapshot of it.
pub(super) struct Candidates<'a> {
    reader: Reader,
    folder: &'a Path,
    words: Option<&'a str>,
    range: Range,
    indexed_to: u32,
    /// The next one has a smaller id.
    below: u32,
    is_in_index: bool,
    /// Only every n-th block is looked at.
    stride: u32,
}

const FIELDS: &str = "b.id, b.min_at, b.max_at, b.newest, b.levels, t.data";

impl<'a> Candidates<'a> {
    /// Begins at the segment's end.
    pub(super) async fn open(
        mut reader: Reader,
        folder: &'a Path,
        words: Option<&'a str>,
        range: Range,
    ) -> Result<Self, StoreError> {
        let place = segment::path(folder, reader.number);
        let failed = |error| failed("begin to read", &place, error);
        sqlx::raw_sql("BEGIN").execute(&mut reader.connection).await.map_err(failed)?;
        let indexed_to: u32 = sqlx::query_scalar("SELECT indexed_to FROM state")
            .fetch_one(&mut reader.connection)
            .await
            .map_err(failed)?;
        let (below, is_in_index) = (u32::MAX, false);
        Ok(Self { reader, folder, words, range, indexed_to, below, is_in_index, stride: 1 })
    }

    /// Looks only at every n-th block.
    pub(super) const fn every(&mut self, stride: u32) {
        self.stride = stride;
    }

    /// The blocks that there are to look at, and the bytes of text that they hold.
    pub(super) async fn measure(&mut self) -> Result<(u64, u64), StoreError> {
        let mut all = (0, 0);
        for is_in_index in [false, true] {
            self.is_in_index = is_in_index;
            let sql = format!("SELECT count(*), coalesce(sum(b.text_bytes), 0) {}", self.source(false));
            let row = self.bind(sql).fetch_one(&mut self.reader.connection).await;
            let (blocks, bytes): (i64, i64) =
                row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))).map_err(|error| {
                    failed("count blocks", &segment::path(self.folder, self.reader.number), error)
                })?;
            all = (all.0 + blocks.cast_unsigned(), all.1 + bytes.cast_unsigned());
        }
        self.is_in_index = false;
        Ok(all)
    }

    /// Up to `max` further blocks; empty at the end.
    pub(super) async fn next(&mut self, max: u32) -> Result<Vec<Candidate>, StoreError> {
        loop {
            let order = if self.by_words() { "grams.rowid" } else { "b.id" };
            let sql = format!("SELECT {FIELDS} {} ORDER BY {order} DESC LIMIT {max}", self.source(true));
            let rows = self.bind(sql).fetch_all(&mut self.reader.connection).await;
            let found: Result<Vec<_>, sqlx::Error> = rows.and_then(|rows| rows.iter().map(read).collect());
            let found = found.map_err(|error| {
                failed("read blocks", &segment::path(self.folder, self.reader.number), error)
            })?;
            match found.last() {
                Some(last) => {
                    self.below = last.id;
                    return Ok(found);
                }
                None if self.is_in_index => return Ok(found),
                None => self.is_in_index = true,
            }
        }
    }

    /// Ends the walk and gives the connection back.
    pub(super) async fn close(mut self) -> Option<Reader> {
        sqlx::raw_sql("COMMIT").execute(&mut self.reader.connection).await.ok().map(|_| self.reader)
    }

    const fn by_words(&self) -> bool {
        self.is_in_index && self.words.is_some()
    }

    /// The order of tables is given: SQLite does not know how rare words are.
    fn source(&self, with_text: bool) -> String {
        let text = if with_text { "CROSS JOIN texts t ON t.id = b.id" } else { "" };
        let (tables, id) = match self.by_words() {
            true => ("FROM grams CROSS JOIN blocks b ON b.id = grams.rowid", "grams.rowid"),
            false => ("FROM blocks b", "b.id"),
        };
        let words = if self.by_words() { "grams MATCH ?5 AND" } else { "" };
        let sampled = if self.stride > 1 { format!("AND {id} % {} = 0", self.stride) } else { String::new() };
        format!(
            "{tables} {text} WHERE {words} {id} > ?1 AND {id} < ?2 AND b.min_at <= ?3 AND b.max_at >= ?4 {sampled}"
        )
    }

    fn bind(&self, sql: String) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
        let (above, below) = match self.is_in_index {
            true => (0, self.below.min(self.indexed_to.saturating_add(1))),
            false => (self.indexed_to, self.below),
        };
        // Built from constants and numbers alone; what was asked for is bound.
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(above)
            .bind(below)
            .bind(self.range.last_at())
            .bind(self.range.from.at);
        match self.words {
            Some(words) if self.is_in_index => query.bind(words.to_owned()),
            _ => query,
        }
    }
}

fn read(row: &SqliteRow) -> Result<Candidate, sqlx::Error> {
    Ok(Candidate {
        id: row.try_get(0)?,
        min_at: row.try_get(1)?,
        max_at: row.try_get(2)?,
        newest: row.try_get(3)?,
        levels: row.try_get(4)?,
        data: row.try_get(5)?,
    })
}
