//! What a tailed input says of itself.

use std::collections::BTreeMap;

use serde::Serialize;

/// Files named one by one in a status; the rest is counted.
pub const FILES_SHOWN_MAX: usize = 50;
/// Bytes of an unreadable line that are kept to show.
pub(super) const SAMPLE_BYTES: usize = 300;

/// What became of the lines so far, and where the files stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Lines (or multiline records) taken.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines counted as requests.
    pub observed: u64,
    /// Lines that speak of no request.
    pub not_requests: u64,
    /// Lines that a route rule ignores.
    pub ignored: u64,
    /// Lines not read by reason, each with the first of them; also lines counted without a duration, or at
    /// the instant of their reading, because what they say of it could not be read.
    pub unparsed: BTreeMap<&'static str, Unread>,
    /// Lines cut at the longest length.
    pub cut: u64,
    /// Log records whose text was no UTF-8 and was repaired.
    pub invalid_utf8: u64,
    /// Files that were renamed or deleted and read to their end.
    pub rotated: u64,
    /// Files that were cut to zero behind what was read (`copytruncate`).
    pub truncated: u64,
    /// Truncations whose copy was not found, or copies that were overwritten before they were read:
    /// lines written just before may be lost.
    pub truncated_without_copy: u64,
    /// Files that are gone and may not have been read to their end.
    pub lost_files: u64,
    /// Files that are missing together with their file system.
    pub files_away: u64,
    /// Files that cannot be read.
    pub unreadable: u64,
    /// The first of them, and why.
    pub first_unreadable: Option<String>,
    /// Files beyond `files_max`.
    pub files_over_limit: u64,
    /// Files followed.
    pub files: u64,
    /// Bytes in all files that wait to be read.
    pub bytes_behind: u64,
    /// Some of the files.
    pub shown: Vec<FileStatus>,
}

/// Lines that could not be read for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// How many.
    pub lines: u64,
    /// The beginning of the first, after redaction.
    pub sample: String,
}

/// Where one file stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileStatus {
    /// Where it was last seen.
    pub path: String,
    /// Bytes read.
    pub offset: u64,
    /// Bytes there are.
    pub size: u64,
}
