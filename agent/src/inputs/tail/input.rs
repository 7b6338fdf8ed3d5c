//! A tailed input as the agent runs it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use goldentime_runtime::{SharedClock, TaskKind, Tasks};

use super::away::Away;
use super::config::{BLOCK_BYTES, Config};
use super::discover::Discovery;
use super::files::Files;
use super::lines::{Cutter, Step, without_cr};
use super::reader::{LEAVING_QUIET, Reader};
use super::sink::Sink;
use super::status::Status;
use super::watch::Watcher;
use crate::aggregate::{Positions, ShardHandle};
use crate::inputs::parse::Parser;
use crate::inputs::parse::config::{Config as ParseConfig, FormatError};
use crate::inputs::parse::instant::Zone;
use crate::inputs::route::config::RouteError;
use crate::inputs::route::{Config as RouteConfig, Router, Source};

/// A tailed input, checked and ready to run.
pub struct Tail {
    config: Config,
    parser: Parser,
    router: Router,
    cutter: Cutter,
    leaving_quiet: std::time::Duration,
}

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to read.
    #[error("input `{0}` has no paths")]
    NoPaths(String),
    /// A path does not say where it is.
    #[error("input `{input}`: path `{path}` is not absolute")]
    Relative {
        /// Name of the input.
        input: String,
        /// The path.
        path: String,
    },
    /// The format cannot be used.
    #[error("input `{input}`: format: {source}")]
    Format {
        /// Name of the input.
        input: String,
        /// What is wrong.
        source: FormatError,
    },
    /// The routes cannot be used.
    #[error(transparent)]
    Routes(#[from] RouteError),
    /// The start of multiline records is no expression.
    #[error("input `{input}`: multiline_start: {source}")]
    Multiline {
        /// Name of the input.
        input: String,
        /// What is wrong.
        source: regex::Error,
    },
}

/// Asks a running input. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TailHandle {
    name: Arc<str>,
    status: Arc<Mutex<Status>>,
}

impl TailHandle {
    /// Name of the input.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it stands, at most half a second ago.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tail {
    /// Checks a configuration. `source` says whose lines they are; the input's own `service` goes
    /// before it.
    pub fn new(config: Config, routes: &RouteConfig, source: Source) -> Result<Self, Error> {
        let input = config.name();
        if config.paths.is_empty() {
            return Err(Error::NoPaths(input));
        }
        if let Some(path) = config.paths.iter().chain(&config.exclude).find(|path| !path.starts_with('/')) {
            return Err(Error::Relative { input, path: path.clone() });
        }
        let parse = ParseConfig { format: config.format.clone(), fields: config.fields.clone() };
        let parser = Parser::new(&parse, Zone::of_host(), config.ship_logs)
            .map_err(|source| Error::Format { input: input.clone(), source })?;
        let cutter = Cutter::new(config.line_bytes_max.as_usize(), config.multiline_start.as_deref())
            .map_err(|source| Error::Multiline { input, source })?;
        let service = config.service.clone().or_else(|| source.service.clone());
        let router = Router::new(routes, Source { service, ..source })?;
        Ok(Self { config, parser, router, cutter, leaving_quiet: LEAVING_QUIET })
    }

    /// What `check` should warn of.
    #[must_use]
    pub fn advice(&self) -> Vec<&'static str> {
        self.parser.advice()
    }

    /// Files that are there now, as `check` lists them, with their sizes in bytes; and folders that
    /// cannot be looked through, with the reason.
    #[must_use]
    pub fn files(&self) -> (Vec<(PathBuf, u64)>, Vec<String>) {
        let found = Discovery::new(&self.config).scan();
        (found.files.into_iter().map(|(_, path, size)| (path, size)).collect(), found.unlisted)
    }

    /// Folders that hold no file because they are not there.
    #[must_use]
    pub fn missing_folders(&self) -> Vec<PathBuf> {
        self.config.roots().into_iter().filter(|root| !root.exists()).collect()
    }

    /// The lines or multiline records of a stretch of a file, as `run` cuts them.
    #[must_use]
    pub fn records<'a>(&self, stretch: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut records, mut from, mut is_skipping) = (Vec::new(), 0, false);
        loop {
            match self.cutter.next(stretch, from, is_skipping, true) {
                Step::Record { end, next, skips, .. } => {
                    records.push(without_cr(&stretch[from..end]));
                    (from, is_skipping) = (next, skips);
                }
                Step::Skipped { next, is_over } => (from, is_skipping) = (next, !is_over),
                Step::Incomplete => return records,
            }
        }
    }

    #[cfg(test)]
    pub(super) fn with_leaving_quiet(mut self, quiet: std::time::Duration) -> Self {
        self.leaving_quiet = quiet;
        self
    }

    /// Starts reading, on a thread of its own, from where `positions` say. Ends with
    /// [`Tasks::stopping`]. `shard` is this input's alone.
    pub fn start(
        self,
        tasks: &Tasks,
        clock: SharedClock,
        shard: ShardHandle,
        positions: &Positions,
    ) -> TailHandle {
        let name: Arc<str> = self.config.name().into();
        let left = Away::decode(&positions.of_input(&name));
        let published = Arc::new(Mutex::new(Status::default()));
        let handle = TailHandle { name: Arc::clone(&name), status: Arc::clone(&published) };
        let stopping = tasks.stopping();
        tasks.spawn(TaskKind::Source, "tail", async move {
            let reader = Reader {
                discovery: Discovery::new(&self.config),
                watcher: Watcher::new(),
                files: Files::default(),
                away: Away::default(),
                unlisted: Vec::new(),
                cutter: self.cutter,
                sink: Sink::new(self.parser, self.router, self.config.ship_logs),
                start_at: self.config.start_at,
                leaving_quiet: self.leaving_quiet,
                runtime: tokio::runtime::Handle::current(),
                block: vec![0; BLOCK_BYTES].into(),
                config: self.config,
                input: name,
                shard,
                clock,
                published,
                stopping,
            };
            let thread = tokio::task::spawn_blocking(move || reader.run(left));
            // A panic of the thread is this task's: the program stops in order.
            if let Err(error) = thread.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        });
        handle
    }
}
