//! Searches: segments from the newest to the oldest, in each the blocks that may hold what is meant.

use std::ops::ControlFlow;

use goldentime_follower::StoreError;

use super::SqliteLogs;
use super::block::{Block, Damaged, errors_of, level_counts};
use super::candidates::{Candidate, Candidates};
use super::matcher::{Matcher, Range};
use super::newest::{Best, Keep};
use super::segment::Segment;
use crate::level::{Level, Levels};
use crate::line::{Line, LineId, NewLine};
use crate::page::{self, Context, Histogram, Page, PageRequest, Span};
use crate::query::{Query, ServicePattern};

/// Searches at the same time; others wait.
pub(super) const SEARCHES_MAX: usize = 3;
/// Blocks that are fetched together, at first and at most.
const PAGE_BLOCKS_FIRST: u32 = 8;
pub(super) const PAGE_BLOCKS_MAX: u32 = 64;
/// Text that one search looks through before it answers with what it has, in bytes.
const SEARCH_BYTES_MAX: u64 = 160 << 20;
/// Text that one histogram looks through before it counts a sample only, in bytes.
const HISTOGRAM_BYTES_MAX: u64 = 96 << 20;
/// Lengths of time in which the lines after one are looked for, in nanoseconds.
const AFTER_NS: [i64; 5] = [1_000_000_000, 30_000_000_000, 900_000_000_000, 21_600_000_000_000, i64::MAX];

impl SqliteLogs {
    pub(super) async fn find(&self, query: Query, page: PageRequest) -> Result<Page, StoreError> {
        let range = Range::of(&query, page.before);
        let limit = page.limit.clamp(1, page::LINES_MAX) as usize;
        let (mut best, mut damaged) = (Best::new(Keep::Newest, limit), 0);
        let stopped_at = self.gather(&Matcher::new(query), range, &mut best, &mut damaged).await?;
        if let Some(at) = stopped_at {
            best.forget_until(at);
        }
        let is_full = best.was_cut() || best.len() >= limit;
        let mut lines = best.into_lines();
        lines.reverse();
        let next = match (stopped_at, lines.last()) {
            (_, Some(last)) if is_full => Some(last.id),
            (Some(at), _) => Some(LineId::first_at(at.saturating_add(1))),
            _ => None,
        };
        Ok(Page { lines, next, damaged })
    }

    /// Looks for the best lines. Gives the instant above which all were found, where it stopped early.
    async fn gather(
        &self,
        matcher: &Matcher,
        range: Range,
        best: &mut Best,
        damaged: &mut u64,
    ) -> Result<Option<i64>, StoreError> {
        let _turn = self.turn().await;
        let segments = self.overlapping(range).await?;
        let words = matcher.words();
        let (mut buffer, mut read_bytes) = (Vec::new(), 0);
        let keep_newest = best.keeps(Keep::Newest);
        for (at, segment) in segments.iter().enumerate() {
            if keep_newest && best.is_above(segment.max_at) {
                break;
            }
            let rest = segments.get(at + 1).map_or(i64::MIN, |next| next.max_at);
            let walked = self.walk(segment.number, words.as_deref(), range, 1, |candidates| {
                for candidate in &candidates {
                    let looked = Block::decode(&candidate.data).and_then(|block| {
                        read_bytes += block.text().len() as u64;
                        matcher.look_through(&block, &mut buffer, |index, lines, meta| {
                            let id = place(segment.number, candidate.id, index, meta.at);
                            if range.holds(&id) && best.wants(&id) {
                                best.add(with_id(id, lines.read(meta)?));
                            }
                            Ok(())
                        })
                    });
                    *damaged += u64::from(is_damaged(segment.number, candidate.id, looked));
                }
                let reach = candidates.last().map_or(i64::MIN, |last| last.newest);
                if reach < range.from.at || (keep_newest && best.is_above(reach)) {
                    return ControlFlow::Break(None);
                }
                let unread = reach.max(rest);
                let is_further = LineId::first_at(unread.saturating_add(1)) < range.until;
                if keep_newest && read_bytes > SEARCH_BYTES_MAX && is_further {
                    return ControlFlow::Break(Some(unread));
                }
                ControlFlow::Continue(())
            });
            match walked.await {
                Ok(Some(stopped_at)) => return Ok(Some(stopped_at)),
                Ok(None) => {}
                Err(error) => *damaged += self.excuse(segment, error)?,
            }
        }
        Ok(None)
    }

    /// Goes through the candidates of one segment, from its end, until `visit` breaks.
    async fn walk(
        &self,
        number: u32,
        words: Option<&str>,
        range: Range,
        stride: u32,
        mut visit: impl FnMut(Vec<Candidate>) -> ControlFlow<Option<i64>>,
    ) -> Result<Option<i64>, StoreError> {
        let reader = self.readers.take(&self.folder, number, self.is_sealed(number)).await?;
        let mut candidates = Candidates::open(reader, &self.folder, words, range).await?;
        candidates.every(stride);
        let mut max = PAGE_BLOCKS_FIRST;
        let mut stopped_at = None;
        loop {
            let found = candidates.next(max).await?;
            if found.is_empty() {
                break;
            }
            if let ControlFlow::Break(at) = visit(found) {
                stopped_at = at;
                break;
            }
            max = (max * 2).min(PAGE_BLOCKS_MAX);
            // Alerts do not wait for searches.
            tokio::task::yield_now().await;
        }
        self.give_back(candidates).await;
        Ok(stopped_at)
    }

    pub(super) async fn count(&self, query: Query, span: Span) -> Result<Histogram, StoreError> {
        let query = Query { from: span.from, until: span.until(), ..query };
        let range = Range::of(&query, None);
        let matcher = Matcher::new(query);
        let mut histogram = Histogram::empty(span);
        let _turn = self.turn().await;
        let segments = self.overlapping(range).await?;
        let words = matcher.words();
        let stride = match matcher.is_of_levels_alone() {
            true => 1,
            false => self.stride(&segments, words.as_deref(), range).await?,
        };
        histogram.is_approximate = stride > 1;
        let mut buffer = Vec::new();
        for segment in &segments {
            let walked = self.walk(segment.number, words.as_deref(), range, stride, |candidates| {
                for candidate in candidates {
                    let counted =
                        count_block(&matcher, &candidate, u64::from(stride), &mut buffer, &mut histogram);
                    histogram.damaged += u64::from(is_damaged(segment.number, candidate.id, counted));
                }
                ControlFlow::Continue(())
            });
            if let Err(error) = walked.await {
                histogram.damaged += self.excuse(segment, error)?;
            }
        }
        Ok(histogram)
    }

    /// Which part of the candidates can be looked at: all, or every n-th.
    async fn stride(
        &self,
        segments: &[Segment],
        words: Option<&str>,
        range: Range,
    ) -> Result<u32, StoreError> {
        let mut bytes = 0;
        for Segment { number, .. } in segments {
            // Segments that cannot be read are told of when they are counted.
            let sealed = self.is_sealed(*number);
            let Ok(reader) = self.readers.take(&self.folder, *number, sealed).await else { continue };
            let Ok(mut candidates) = Candidates::open(reader, &self.folder, words, range).await else {
                continue;
            };
            bytes += candidates.measure().await.map_or(0, |(_, bytes)| bytes);
            self.give_back(candidates).await;
        }
        Ok(u32::try_from(bytes.div_ceil(HISTOGRAM_BYTES_MAX).max(1)).unwrap_or(u32::MAX))
    }

    pub(super) async fn around(
        &self,
        id: LineId,
        before: u32,
        after: u32,
    ) -> Result<Option<Context>, StoreError> {
        let mut damaged = 0;
        let itself = Range { from: id, until: successor(id) };
        let mut found = Best::new(Keep::Newest, 1);
        self.gather(&Matcher::new(Query::default()), itself, &mut found, &mut damaged).await?;
        let Some(line) = found.into_lines().pop() else { return Ok(None) };
        let near = Query {
            service: Some(ServicePattern::from(&line.service)),
            host: Some(line.host.to_string()),
            ..Query::default()
        };
        let matcher = Matcher::new(near);
        let mut lines = Vec::new();
        if before > 0 {
            let mut best = Best::new(Keep::Newest, before.min(page::LINES_MAX) as usize);
            let earlier = Range { from: LineId::first_at(i64::MIN), until: id };
            if let Some(at) = self.gather(&matcher, earlier, &mut best, &mut damaged).await? {
                best.forget_until(at);
            }
            lines = best.into_lines();
        }
        let focus = lines.len();
        lines.push(line);
        if after > 0 {
            let limit = after.min(page::LINES_MAX) as usize;
            for reach in AFTER_NS {
                let mut best = Best::new(Keep::Oldest, limit);
                let later =
                    Range { from: successor(id), until: LineId::first_at(id.at.saturating_add(reach)) };
                self.gather(&matcher, later, &mut best, &mut damaged).await?;
                if best.len() >= limit || best.was_cut() || reach == i64::MAX {
                    lines.extend(best.into_lines());
                    break;
                }
            }
        }
        Ok(Some(Context { lines, focus }))
    }

    /// Keeps a connection, unless its segment was dropped meanwhile: it would hold the room of the file.
    async fn give_back(&self, candidates: Candidates<'_>) {
        let Some(reader) = candidates.close().await else { return };
        let number = reader.number;
        self.readers.give_back(reader);
        if !self.has_segment(number) {
            self.readers.forget(number);
        }
    }

    /// A segment that cannot be read costs its lines, not the answer. One that was dropped meanwhile
    /// has none.
    fn excuse(&self, segment: &Segment, error: StoreError) -> Result<u64, StoreError> {
        if !self.has_segment(segment.number) {
            return Ok(0);
        }
        match error {
            StoreError::Corrupt { .. } => {
                metrics::counter!("goldentime_logs_damaged_reads_total").increment(1);
                tracing::error!(%error, "a segment of log lines is left out of a search");
                Ok(1)
            }
            error => Err(error),
        }
    }
}

fn count_block(
    matcher: &Matcher,
    candidate: &Candidate,
    weight: u64,
    buffer: &mut Vec<u8>,
    histogram: &mut Histogram,
) -> Result<(), Damaged> {
    let span = histogram.span;
    let bucket_of = |at| span.bucket_of(goldentime_model::UnixNanos(at));
    if matcher.is_of_levels_alone()
        && let (Some(first), Some(last)) = (bucket_of(candidate.min_at), bucket_of(candidate.max_at))
        && first == last
    {
        let mut counts = level_counts(&candidate.levels);
        for (slot, count) in counts.iter_mut().enumerate() {
            if !matcher.levels().each().any(|one| one.slot() == slot) {
                *count = 0;
            }
        }
        histogram.buckets[first].lines += counts.iter().sum::<u64>();
        histogram.buckets[first].errors += errors_of(&counts);
        return Ok(());
    }
    let errors = Levels::at_least(Level::Error);
    let block = Block::decode(&candidate.data)?;
    matcher.look_through(&block, buffer, |_, lines, meta| {
        if let Some(bucket) = bucket_of(meta.at) {
            histogram.buckets[bucket].lines += weight;
            if errors.meets(Levels::of(lines.name(meta.level)?)) {
                histogram.buckets[bucket].errors += weight;
            }
        }
        Ok(())
    })
}

fn is_damaged(segment: u32, block: u32, looked: Result<(), Damaged>) -> bool {
    if looked.is_err() {
        metrics::counter!("goldentime_logs_damaged_reads_total").increment(1);
        tracing::error!(
            segment,
            block,
            "a block of log lines is damaged; its lines are left out of a search"
        );
    }
    looked.is_err()
}

fn place(segment: u32, block: u32, index: usize, at: i64) -> LineId {
    LineId { at, place: [segment, block, u32::try_from(index).unwrap_or(u32::MAX)] }
}

const fn successor(id: LineId) -> LineId {
    let [segment, block, index] = id.place;
    LineId { at: id.at, place: [segment, block, index.saturating_add(1)] }
}

fn with_id(id: LineId, line: NewLine) -> Line {
    let NewLine { identity, service, host, record } = line;
    Line { id, identity, service, host, record }
}
