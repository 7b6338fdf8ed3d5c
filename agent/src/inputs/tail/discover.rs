//! Which files there are.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::config::Config;
use super::glob::Glob;
use super::identity::FileId;

/// Folders inside one another that are looked through.
const DEPTH_MAX: usize = 16;
/// Entries looked at in one scan; what is beyond waits for narrower patterns, and is said in the log.
const ENTRIES_MAX: usize = 200_000;
/// Folders that cannot be looked through and are named one by one.
const UNLISTED_MAX: usize = 10;
/// Endings of compressed copies.
const COMPRESSED: [&str; 5] = ["gz", "bz2", "xz", "zst", "lz4"];

/// Looks for the files of an input.
#[derive(Debug)]
pub(super) struct Discovery {
    globs: Vec<Glob>,
    exclude: Vec<Glob>,
    roots: Vec<PathBuf>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files by identity; a file that several paths lead to appears once.
    pub(super) files: Vec<(FileId, PathBuf, u64)>,
    /// Folders to watch: those that hold a match or may hold one.
    pub(super) folders: Vec<PathBuf>,
    /// Folders that cannot be looked through, and files in such, each with the reason; some of them.
    pub(super) unlisted: Vec<String>,
}

impl Discovery {
    pub(super) fn new(config: &Config) -> Self {
        let mut roots = config.roots();
        roots.sort();
        roots.dedup();
        Self {
            globs: config.paths.iter().map(|path| Glob::new(path)).collect(),
            exclude: config.exclude.iter().map(|path| Glob::new(path)).collect(),
            roots,
        }
    }

    /// Whether a path belongs to the input.
    pub(super) fn wants(&self, path: &Path) -> bool {
        let is_compressed =
            path.extension().is_some_and(|ending| COMPRESSED.iter().any(|known| ending == *known));
        !is_compressed
            && self.globs.iter().any(|glob| glob.matches(path))
            && !self.exclude.iter().any(|glob| glob.matches(path))
    }

    /// Looks through the folders.
    pub(super) fn scan(&self) -> Found {
        let mut walk = Walk {
            discovery: self,
            found: Found::default(),
            seen: HashSet::new(),
            above: Vec::new(),
            entries: 0,
        };
        for root in &self.roots {
            match fs::metadata(root) {
                Ok(metadata) => walk.folder(root, FileId::from_metadata(&metadata)),
                Err(error) => walk.unlisted(root, &error),
            }
        }
        walk.found.folders.sort();
        walk.found.folders.dedup();
        walk.found
    }
}

struct Walk<'a> {
    discovery: &'a Discovery,
    found: Found,
    seen: HashSet<FileId>,
    /// Folders from the root down to the present one: a link to one of them leads in a circle.
    above: Vec<FileId>,
    entries: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, id: FileId) {
        if self.above.len() > DEPTH_MAX || self.above.contains(&id) {
            return;
        }
        self.above.push(id);
        self.entries_of(folder);
        self.above.pop();
    }

    fn entries_of(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.unlisted(folder, &error),
        };
        self.found.folders.push(folder.to_owned());
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            self.entries += 1;
            if self.entries == ENTRIES_MAX {
                tracing::warn!(folder = %folder.display(), "more than {ENTRIES_MAX} entries; narrow the paths");
            }
            if self.entries >= ENTRIES_MAX {
                return;
            }
            let wanted = self.discovery.wants(&path);
            let may_hold = self.discovery.globs.iter().any(|glob| glob.may_hold(&path));
            if !wanted && !may_hold {
                continue;
            }
            // Follows symbolic links: the identity is that of what they lead to.
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.unlisted(&path, &error);
                    continue;
                }
            };
            if metadata.is_file() && wanted {
                self.file(path, &metadata);
            } else if metadata.is_dir() && may_hold {
                self.folder(&path, FileId::from_metadata(&metadata));
            }
        }
    }

    /// What is not there is no failure: it may come.
    fn unlisted(&mut self, path: &Path, error: &std::io::Error) {
        let is_gone = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        if !is_gone && self.found.unlisted.len() < UNLISTED_MAX {
            self.found.unlisted.push(format!("{}: {error}", path.display()));
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        let id = FileId::from_metadata(metadata);
        if !self.seen.insert(id) {
            return;
        }
        if let Ok(target) = fs::canonicalize(&path)
            && let Some(folder) = target.parent()
            && path.parent() != Some(folder)
        {
            self.found.folders.push(folder.to_owned());
        }
        self.found.files.push((id, path, metadata.len()));
    }
}
