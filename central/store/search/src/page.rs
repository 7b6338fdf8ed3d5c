//! Answers.

use goldentime_model::UnixNanos;

use crate::line::{Line, LineId};

/// Most lines in one page.
pub const LINES_MAX: u32 = 1000;
/// Bytes of text in one page, about: it ends after the line that passes them.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most buckets of a histogram.
pub const BUCKETS_MAX: u32 = 1000;

/// Which part of the lines found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only lines before this one: `next` of the page before.
    pub before: Option<LineId>,
    /// Most lines, up to [`LINES_MAX`].
    pub limit: u32,
}

/// Lines found, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Newest first.
    pub lines: Vec<Line>,
    /// Where the next page begins; none when all was searched. A page can be short, or empty, and yet
    /// have a next one: a search that reads much and finds little stops to answer.
    pub next: Option<LineId>,
    /// Stored pieces that could not be read; their lines are missing.
    pub damaged: u64,
}

/// Buckets of equal width that end at the query's `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Start of the first bucket.
    pub from: UnixNanos,
    /// Width of a bucket in nanoseconds, at least 1.
    pub width_ns: i64,
    /// Buckets, up to [`BUCKETS_MAX`].
    pub buckets: u32,
}

impl Span {
    /// First instant after the last bucket.
    #[must_use]
    pub const fn until(&self) -> UnixNanos {
        self.from.saturating_add(self.width_ns.saturating_mul(self.buckets as i64))
    }

    /// Number of the bucket that holds this instant.
    #[must_use]
    pub fn bucket_of(&self, at: UnixNanos) -> Option<usize> {
        let bucket = usize::try_from(at.0.checked_sub(self.from.0)?.div_euclid(self.width_ns)).ok()?;
        (bucket < self.buckets as usize).then_some(bucket)
    }
}

/// Lines of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// All that the query means.
    pub lines: u64,
    /// Those at `error` or graver.
    pub errors: u64,
}

/// How many lines a query means, over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// As asked for.
    pub span: Span,
    /// One a bucket.
    pub buckets: Vec<Bucket>,
    /// The counts are a projection from a sample: there was too much to read it all.
    pub is_approximate: bool,
    /// Stored pieces that could not be read; their lines are missing.
    pub damaged: u64,
}

impl Histogram {
    /// All buckets empty.
    #[must_use]
    pub fn empty(span: Span) -> Self {
        let buckets = vec![Bucket::default(); span.buckets as usize];
        Self { span, buckets, is_approximate: false, damaged: 0 }
    }

    /// All buckets together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.lines).sum()
    }
}

/// What the same service wrote on the same host around a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Oldest first, the line itself among them.
    pub lines: Vec<Line>,
    /// Place of the line itself in `lines`.
    pub focus: usize,
}
