//! One tailed input.

use std::path::PathBuf;

use goldentime_model::config::Check;
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inputs::parse::config::{FieldNames, Format};

/// Log files to read (`inputs.tail[]` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the input, unique in the agent: read positions are kept under it, and for 30 days after
    /// the first start that does not name it any more. Default: the first of `paths`.
    #[serde(default)]
    pub name: Option<String>,
    /// Absolute paths; `*` and `?` stand for any characters inside one part, `[a-z]` for one of a
    /// set, `**` for any number of folders. At least one. A file that they no longer name after a
    /// restart is not read on; named again, it goes on where it was left. So does one whose file system
    /// is not mounted, if it is back within 30 days.
    pub paths: Vec<String>,
    /// Paths to leave out, of the same form. Compressed files (`.gz`, `.bz2`, `.xz`, `.zst`) are
    /// always left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Service that the lines are about, unless a field of theirs names it. It may hold what
    /// `environment` may; `host:…` and `__other__` are kept for hosts and for what goes over a limit.
    /// Default: none, counted as `unknown`.
    #[serde(default)]
    pub service: Option<String>,
    /// Format of the lines.
    pub format: Format,
    /// Which field says what, where the usual names do not hold.
    #[serde(default)]
    pub fields: FieldNames,
    /// Where to start in files that are there when the agent first sees this input: `end` (default)
    /// or `beginning`. Files that appear later are read from their beginning, files read before from
    /// where they were left.
    #[serde(default)]
    pub start_at: StartAt,
    /// Ships the lines as log records as well. Default false.
    #[serde(default)]
    pub ship_logs: bool,
    /// Regular expression that the first line of a record matches; lines that do not are added to
    /// the record before them. Default: a line is a record.
    #[serde(default)]
    pub multiline_start: Option<String>,
    /// Longest line or multiline record; what is longer is cut there, and counted. Default 64KiB, at
    /// least 1KiB, at most 128KiB.
    #[serde(default = "line_bytes_max")]
    pub line_bytes_max: ByteSize,
    /// How long a last line without its newline (or a multiline record without its successor) is
    /// waited for before it is taken as it is. Default 0: for ever for a line, 1s for a record.
    #[serde(default)]
    pub partial_timeout: HumanDuration,
    /// How often folders are looked through for files that no notification spoke of. Default 10s.
    #[serde(default = "rescan_interval")]
    pub rescan_interval: HumanDuration,
    /// Files followed at once; further ones are counted and wait. Default 10000.
    #[serde(default = "files_max")]
    pub files_max: usize,
    /// Files held open at once; others are opened when there is something to read. Default 256, at least 16.
    #[serde(default = "open_files_max")]
    pub open_files_max: usize,
}

/// Where to start in files that were there before the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// Read what was written before, too.
    Beginning,
    /// Only what is written from now on.
    #[default]
    End,
}

const fn line_bytes_max() -> ByteSize {
    ByteSize::kib(64)
}

const fn rescan_interval() -> HumanDuration {
    HumanDuration::from_secs(10)
}

const fn files_max() -> usize {
    10_000
}

const fn open_files_max() -> usize {
    256
}

/// Fewer open files would make the reader open and close one for every write.
pub(super) const OPEN_FILES_MIN: usize = 16;
/// What is read at once.
pub const BLOCK_BYTES: usize = 256 << 10;
/// What the agent keeps of one followed file: paths, identity, position.
const FILE_BYTES: usize = 2048;

impl Config {
    /// An input of `paths` in `format` with everything else as by default.
    #[must_use]
    pub fn new(paths: Vec<String>, format: Format) -> Self {
        Self {
            name: None,
            paths,
            exclude: Vec::new(),
            service: None,
            format,
            fields: FieldNames::default(),
            start_at: StartAt::default(),
            ship_logs: false,
            multiline_start: None,
            line_bytes_max: line_bytes_max(),
            partial_timeout: HumanDuration::default(),
            rescan_interval: rescan_interval(),
            files_max: files_max(),
            open_files_max: open_files_max(),
        }
    }

    /// Name of the input.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone().or_else(|| self.paths.first().cloned()).unwrap_or_default()
    }

    /// Refuses bounds that the input cannot work with.
    pub fn validate(&self, check: &mut Check) {
        let (least, most) = (ByteSize::kib(1), ByteSize::kib(128));
        let is_line = (least..=most).contains(&self.line_bytes_max);
        check.require(is_line, "line_bytes_max", format!("must be between {least} and {most}"));
        check.require(self.files_max >= 1, "files_max", "must be at least 1");
        let least = format!("must be at least {OPEN_FILES_MIN}");
        check.require(self.open_files_max >= OPEN_FILES_MIN, "open_files_max", least);
    }

    /// The most memory that the input takes, in bytes, besides its shard.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        BLOCK_BYTES + self.files_max * FILE_BYTES + crate::inputs::route::Router::memory_bytes_max()
    }

    /// Folders that hold a pattern's files: its longest part without wildcards.
    #[must_use]
    pub fn roots(&self) -> Vec<PathBuf> {
        self.paths.iter().map(|path| super::glob::root(path)).collect()
    }
}
