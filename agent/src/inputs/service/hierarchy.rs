//! The trees of control groups (cgroups(7); the kernel's Documentation/admin-guide/cgroup-v2.rst and
//! cgroup-v1/): one for all controllers, or one for each, or both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders inside one another that are looked through; systemd's and Kubernetes' are half as deep.
const DEPTH_MAX: usize = 16;
/// Folders looked at in one scan.
pub(super) const FOLDERS_MAX: usize = 20_000;

/// Which of the kernel's interfaces a folder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Where a controller's tree begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) folder: PathBuf,
    pub(super) version: Version,
}

impl Base {
    /// A cgroup's folder in this tree.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }
}

/// The trees that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) cpu_time: Option<Base>,
    pub(super) cpu_limit: Option<Base>,
    pub(super) memory: Option<Base>,
    pub(super) tasks: Option<Base>,
    pub(super) io: Option<Base>,
    pub(super) pressure: Option<Base>,
    /// Each tree once: a cgroup need not be in all of them. The one that lists most first.
    trees: Vec<Base>,
}

/// What there is to look at below the root.
pub(super) struct Walked {
    /// Paths with the tree in which they were found first.
    pub(super) found: BTreeMap<String, Base>,
    /// There was more than [`FOLDERS_MAX`].
    pub(super) is_cut: bool,
}

impl Hierarchy {
    /// The trees below `root`; `None` where nothing there is one.
    pub(super) fn detect(root: &Path) -> Option<Self> {
        let unified = |folder: PathBuf| {
            let is_one = folder.join("cgroup.controllers").is_file();
            is_one.then_some(Base { folder, version: Version::V2 })
        };
        if let Some(base) = unified(root.to_owned()) {
            let all = Some(base.clone());
            return Some(Self {
                cpu_time: all.clone(),
                cpu_limit: all.clone(),
                memory: all.clone(),
                tasks: all.clone(),
                io: all.clone(),
                pressure: all,
                trees: vec![base],
            });
        }
        let unified = unified(root.join("unified"));
        let controller = |names: &[&str]| {
            let mut folders = names.iter().map(|name| root.join(name));
            folders.find(|folder| folder.is_dir()).map(|folder| Base { folder, version: Version::V1 })
        };
        let cpu_time = controller(&["cpuacct", "cpu,cpuacct", "cpuacct,cpu"]);
        let cpu_limit = controller(&["cpu", "cpu,cpuacct", "cpuacct,cpu"]);
        let (memory, tasks, io) = (controller(&["memory"]), controller(&["pids"]), controller(&["blkio"]));
        let lists = [controller(&["systemd"]), unified.clone(), tasks.clone(), memory.clone()];
        let mut trees: Vec<Base> = Vec::new();
        for base in lists.into_iter().chain([cpu_time.clone(), cpu_limit.clone(), io.clone()]).flatten() {
            let real = |base: &Base| fs::canonicalize(&base.folder).ok();
            if !trees.iter().any(|known| real(known) == real(&base)) {
                trees.push(base);
            }
        }
        (!trees.is_empty()).then(|| Self {
            cpu_time: cpu_time.or_else(|| unified.clone()),
            cpu_limit: cpu_limit.or_else(|| unified.clone()),
            memory: memory.or_else(|| unified.clone()),
            tasks: tasks.or_else(|| unified.clone()),
            io: io.or_else(|| unified.clone()),
            pressure: unified,
            trees,
        })
    }

    /// The tree in which there is a cgroup of this path.
    pub(super) fn tree_of(&self, path: &str) -> Option<&Base> {
        self.trees.iter().find(|base| base.at(path).is_dir())
    }

    /// Looks through all trees for paths that are `wanted`, entering folders that `may_hold` one.
    pub(super) fn walk(&self, wanted: impl Fn(&str) -> bool, may_hold: impl Fn(&str) -> bool) -> Walked {
        let mut walked = Walked { found: BTreeMap::new(), is_cut: false };
        let mut looked_at = 0;
        for base in &self.trees {
            let mut waiting = vec![(String::new(), 0)];
            while let Some((path, depth)) = waiting.pop() {
                looked_at += 1;
                if looked_at > FOLDERS_MAX {
                    walked.is_cut = true;
                    return walked;
                }
                if !path.is_empty() && wanted(&path) {
                    walked.found.entry(path.clone()).or_insert_with(|| base.clone());
                }
                if depth < DEPTH_MAX && may_hold(&path) {
                    waiting
                        .extend(folders(&base.at(&path)).map(|name| (format!("{path}/{name}"), depth + 1)));
                }
            }
        }
        walked
    }
}

/// Names of the folders in a folder; one that cannot be read has none.
pub(super) fn folders(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
}

/// A path and those above it, without the root.
pub(super) fn ancestry(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path.trim_end_matches('/');
    std::iter::from_fn(move || {
        let here = rest;
        rest = &here[..here.rfind('/')?];
        (here.len() > 1).then_some(here)
    })
}
