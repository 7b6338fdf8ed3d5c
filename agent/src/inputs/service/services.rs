//! All services whose saturation is read: what is found for each, and one reading of it.

use std::collections::BTreeMap;

use goldentime_model::naming::check_given_service;
use goldentime_model::{Sample, ServiceId, UnixNanos};
use tokio::time::Instant;

use super::cgroup::Cgroup;
use super::config::{Config, Entry, RESCAN_MIN};
use super::group::{Around, Group};
use super::hierarchy::{Base, FOLDERS_MAX, Hierarchy};
use super::kernel_file::Text;
use super::machine::Machine;
use super::scan::{Picked, scan};
use super::selector::{Selector, Target};
use super::status::{GROUPS_SHOWN_MAX, ServiceStatus};
use crate::inputs::host::reading::Reading;

/// Capabilities of the packaged unit, with the one that reads other users' `exe`.
const WITH_PTRACE: &str = "`systemctl edit goldentime-agent`: AmbientCapabilities= and CapabilityBoundingSet= \
                           CAP_DAC_READ_SEARCH CAP_SYS_PTRACE";

/// All entries with what was found for them.
#[derive(Debug)]
pub struct Services {
    config: Config,
    project: String,
    environment: String,
    entries: Vec<Watched>,
    hierarchy: Option<Hierarchy>,
    machine: Machine,
    text: Text,
    before: Option<Instant>,
    scanned: Option<Instant>,
    /// Something has gone or come since the last scan.
    scan_soon: bool,
    /// Cgroups over the limit since the last time that was asked.
    pub(super) groups_over_limit: u64,
    /// Likewise processes.
    pub(super) processes_over_limit: u64,
}

#[derive(Debug)]
struct Watched {
    selector: Selector,
    /// The service, where it is known beforehand.
    service: Option<ServiceId>,
    groups: Vec<Group>,
    problems: Vec<String>,
}

/// Why the services cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("inputs.services[{at}]{}{field}: {message}", if field.is_empty() { "" } else { "." })]
pub struct EntryError {
    at: usize,
    field: &'static str,
    message: String,
}

impl Services {
    /// Compiles the entries. Nothing is looked for yet.
    pub fn new(
        config: Config,
        entries: &[Entry],
        project: &str,
        environment: &str,
    ) -> Result<Self, EntryError> {
        let compiled = entries.iter().enumerate().map(|(at, entry)| {
            let selector = Selector::new(entry).map_err(|refusal| EntryError {
                at,
                field: refusal.field,
                message: refusal.message,
            })?;
            let service = selector.fixed_service().map(|name| ServiceId::new(project, environment, name));
            let service = service.transpose().map_err(|error| EntryError {
                at,
                field: "service",
                message: error.to_string(),
            })?;
            Ok(Watched { selector, service, groups: Vec::new(), problems: Vec::new() })
        });
        Ok(Self {
            entries: compiled.collect::<Result<_, _>>()?,
            hierarchy: None,
            machine: Machine::read(&config.proc_root),
            config,
            project: project.to_owned(),
            environment: environment.to_owned(),
            text: Text::new(),
            before: None,
            scanned: None,
            scan_soon: false,
            groups_over_limit: 0,
            processes_over_limit: 0,
        })
    }

    /// One reading, with the service that each sample is about. What is a rate or a share of time is
    /// missing from the first of each thing that is found. `service.up` is 1 while something of an entry
    /// runs, else 0.
    pub fn read(&mut self, at: UnixNanos) -> Vec<(ServiceId, Sample)> {
        let now = Instant::now();
        let since_scan = self.scanned.map(|scanned| now.duration_since(scanned));
        let pause = if self.scan_soon { RESCAN_MIN } else { self.config.rescan_interval.get() };
        if since_scan.is_none_or(|since| since >= pause) {
            self.scanned = Some(now);
            self.scan_soon = false;
            self.scan();
        }
        let elapsed = self.before.replace(now).map(|before| now.duration_since(before).as_secs_f64());
        let mut reading = Reading::new(at, elapsed.filter(|elapsed| *elapsed > 0.0));
        let mut samples = Vec::new();
        let mut around =
            Around { hierarchy: self.hierarchy.as_ref(), machine: &self.machine, text: &mut self.text };
        for entry in &mut self.entries {
            for group in &mut entry.groups {
                self.scan_soon |= group.read(&mut reading, &mut around);
                if entry.service.is_none() {
                    reading.gauge("service.up", "1", &[group.label()], f64::from(u8::from(group.is_up)));
                }
                samples.extend(reading.samples.drain(..).map(|sample| (group.service.clone(), sample)));
            }
            if let Some(service) = &entry.service {
                let label = (entry.selector.label.0, &*entry.selector.label.1);
                let is_up = entry.groups.iter().any(|group| group.is_up);
                reading.gauge("service.up", "1", &[label], f64::from(u8::from(is_up)));
                samples.extend(reading.samples.drain(..).map(|sample| (service.clone(), sample)));
            }
        }
        samples
    }

    /// How each entry stands.
    #[must_use]
    pub fn status(&self) -> Vec<ServiceStatus> {
        let status = self.entries.iter().map(|entry| ServiceStatus {
            service: entry.service.as_ref().map(|service| service.service().to_owned()).unwrap_or_default(),
            looks_for: entry.selector.said(),
            is_up: entry.groups.iter().any(|group| group.is_up),
            groups: entry.groups.iter().take(GROUPS_SHOWN_MAX).map(Group::status).collect(),
            further: entry.groups.len().saturating_sub(GROUPS_SHOWN_MAX),
            problems: entry.problems.clone(),
        });
        status.collect()
    }

    /// Looks for everything.
    fn scan(&mut self) {
        self.machine = Machine::read(&self.config.proc_root);
        self.hierarchy = Hierarchy::detect(&self.config.cgroup_root);
        let mut problems: Vec<Vec<String>> = vec![Vec::new(); self.entries.len()];
        self.scan_cgroups(&mut problems);
        let picked = self.scan_processes(&mut problems);
        self.refresh(picked, &mut problems);
        for (entry, problems) in self.entries.iter_mut().zip(problems) {
            for problem in problems.iter().filter(|problem| !entry.problems.contains(problem)) {
                tracing::warn!(entry = entry.selector.said(), "saturation is not read whole: {problem}");
            }
            entry.problems = problems;
        }
    }

    fn scan_cgroups(&mut self, problems: &mut [Vec<String>]) {
        if self.entries.iter().all(|entry| entry.selector.path_pattern().is_none()) {
            return;
        }
        let Some(hierarchy) = &self.hierarchy else {
            for (entry, problems) in self.entries.iter().zip(problems) {
                if entry.selector.path_pattern().is_some() {
                    problems.push(format!(
                        "no control groups below {}: set `inputs.saturation.cgroup_root`",
                        self.config.cgroup_root.display()
                    ));
                }
            }
            return;
        };
        let mut found: Vec<BTreeMap<String, Base>> =
            self.entries.iter().map(|entry| expected(&entry.selector, hierarchy)).collect();
        let walking: Vec<_> = self
            .entries
            .iter()
            .zip(&mut found)
            .enumerate()
            .filter(|(_, (entry, found))| found.is_empty() && needs_walk(&entry.selector))
            .filter_map(|(at, (entry, found))| Some((at, entry.selector.path_pattern()?, found)))
            .collect();
        if !walking.is_empty() {
            let walked = hierarchy.walk(
                |path| walking.iter().any(|(_, pattern, _)| pattern.matches(path)),
                |path| walking.iter().any(|(_, pattern, _)| pattern.may_hold(path)),
            );
            for (at, pattern, found) in walking {
                found.extend(
                    walked
                        .found
                        .iter()
                        .filter(|(path, _)| pattern.matches(path))
                        .map(|(p, b)| (p.clone(), b.clone())),
                );
                if walked.is_cut {
                    problems[at].push(format!(
                        "more than {FOLDERS_MAX} cgroups; some were not looked at: name a folder to look in by \
                         `cgroup`"
                    ));
                }
            }
        }
        let mut room = self.config.groups_max;
        for ((entry, found), problems) in self.entries.iter_mut().zip(found).zip(problems) {
            if entry.selector.path_pattern().is_none() {
                continue;
            }
            let over = entry.take(found, hierarchy, (&self.project, &self.environment), room, problems);
            room = room.saturating_sub(entry.groups.len());
            if over > 0 {
                self.groups_over_limit += over as u64;
                problems.push(format!("{over} cgroups are over `inputs.saturation.groups_max`"));
            }
        }
    }

    /// What each entry's pattern picks; none for entries without one.
    fn scan_processes(&mut self, problems: &mut [Vec<String>]) -> Vec<Option<Vec<u32>>> {
        let mut picked: Vec<Option<Vec<u32>>> = self.entries.iter().map(|_| None).collect();
        let patterns: Vec<_> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| Some((at, entry.selector.process_pattern()?)))
            .collect();
        if patterns.is_empty() {
            return picked;
        }
        let all: Vec<_> = patterns.iter().map(|(_, pattern)| *pattern).collect();
        let found = scan(&self.config.proc_root, &all, &mut self.text);
        for ((at, pattern), Picked { pids, denied, is_user_unknown }) in patterns.into_iter().zip(found) {
            if denied > 0 {
                problems[at].push(format!(
                    "{denied} processes do not tell their program to this user: pick by `name` or `cmdline`, or \
                     give the agent CAP_SYS_PTRACE ({WITH_PTRACE})"
                ));
            }
            if is_user_unknown {
                let user = pattern.user.as_deref().unwrap_or_default();
                problems[at].push(format!("no user `{user}` in /etc/passwd: give the user's number"));
            }
            picked[at] = Some(pids);
        }
        for entry in &mut self.entries {
            if let (Target::Process(_), Some(service), true) =
                (&entry.selector.target, &entry.service, entry.groups.is_empty())
            {
                entry.groups.push(Group::new(service.clone(), entry.selector.label.clone(), None));
            }
        }
        picked
    }

    /// Gives each group its processes, and looks limits up.
    fn refresh(&mut self, picked: Vec<Option<Vec<u32>>>, problems: &mut [Vec<String>]) {
        let mut room = self.config.processes_max;
        let mut around =
            Around { hierarchy: self.hierarchy.as_ref(), machine: &self.machine, text: &mut self.text };
        for ((entry, mut picked), problems) in self.entries.iter_mut().zip(picked).zip(problems) {
            let mut over = 0;
            for group in &mut entry.groups {
                over += group.refresh(picked.take(), &self.config.proc_root, room, &mut around);
                room = room.saturating_sub(group.processes.len());
            }
            if over > 0 {
                self.processes_over_limit += over as u64;
                problems.push(format!("{over} processes are over `inputs.saturation.processes_max`"));
            }
            let denied = entry.groups.iter().find(|group| group.processes.are_files_denied);
            if let Some(pid) = denied.and_then(|group| group.processes.any()) {
                problems.push(format!(
                    "the open files of process {pid} and perhaps others cannot be counted: give the agent \
                     CAP_DAC_READ_SEARCH, as its packaged unit does"
                ));
            }
        }
    }
}

impl Watched {
    /// Takes the cgroups that were found, at most `most`. Those that are known are read on; one that is
    /// the only one to be had is waited for where it was. Gives how many there were too many.
    fn take(
        &mut self,
        found: BTreeMap<String, Base>,
        hierarchy: &Hierarchy,
        (project, environment): (&str, &str),
        most: usize,
        problems: &mut Vec<String>,
    ) -> usize {
        let waits = found.is_empty() && self.selector.is_one();
        self.groups.retain(|group| waits || group.path().is_some_and(|path| found.contains_key(path)));
        let mut over = 0;
        for (path, base) in &found {
            if self.groups.iter().any(|group| group.path() == Some(path)) {
                continue;
            }
            if self.groups.len() >= most {
                over += 1;
                continue;
            }
            let Some(name) = self.selector.service_at(path) else { continue };
            let service = check_given_service(&name).and_then(|()| {
                ServiceId::new(project, environment, &name).map_err(|error| error.to_string())
            });
            match service {
                Ok(service) => {
                    let label = (self.selector.label.0, label_of(path, &found, &self.selector));
                    let cgroup = Cgroup::new(hierarchy, base, path);
                    self.groups.push(Group::new(service, label, Some(cgroup)));
                }
                Err(error) => {
                    problems.push(format!("`{name}`, from {path}, is no name of a service: {error}"))
                }
            }
        }
        over
    }
}

/// Where an entry's cgroup is without looking for it, if it is there.
fn expected(selector: &Selector, hierarchy: &Hierarchy) -> BTreeMap<String, Base> {
    let path = match &selector.target {
        Target::Unit { expected: Some(path), .. } => path.clone(),
        Target::Cgroup(_) if selector.is_one() => selector.label.1.trim_end_matches('/').to_owned(),
        _ => return BTreeMap::new(),
    };
    let base = hierarchy.tree_of(&path).cloned();
    base.into_iter().map(|base| (path.clone(), base)).collect()
}

/// Whether it may be elsewhere than expected.
fn needs_walk(selector: &Selector) -> bool {
    match &selector.target {
        Target::Unit { .. } => true,
        Target::Cgroup(_) => !selector.is_one(),
        Target::Process(_) => false,
    }
}

/// The value of the label that tells a cgroup from others: as it was asked for where it is the only one,
/// else its name, or its path where others have the same name.
fn label_of(path: &str, found: &BTreeMap<String, Base>, selector: &Selector) -> String {
    if selector.is_one() && found.len() == 1 {
        return selector.label.1.clone();
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let own = name(path);
    let is_shared = found.keys().any(|other| other != path && name(other) == own);
    if is_shared { path.to_owned() } else { own }
}
