//! What an entry of the configuration looks for.

use std::path::Path;

use goldentime_model::naming::check_given_service;
use regex::Regex;

use super::config::{Entry, ProcessConfig};
use super::unit;
use crate::inputs::tail::glob::Glob;

/// Bytes that the kernel keeps of a process's name.
const NAME_BYTES: usize = 15;

/// A compiled entry.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) target: Target,
    /// Name of the service; with captures where it is made from them.
    service: String,
    is_template: bool,
    /// Tells the readings of this entry from those of others of the same service.
    pub(super) label: (&'static str, String),
}

#[derive(Debug)]
pub(super) enum Target {
    /// Where it is expected, and what its path looks like wherever it is.
    Unit {
        expected: Option<String>,
        pattern: PathPattern,
    },
    Cgroup(PathPattern),
    Process(ProcessPattern),
}

/// Why an entry cannot be used.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The setting; empty for the entry as a whole.
    pub(super) field: &'static str,
    pub(super) message: String,
}

fn refusal(field: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { field, message: message.into() }
}

impl Selector {
    pub(super) fn new(entry: &Entry) -> Result<Self, Refusal> {
        let (target, label) = match (&entry.unit, &entry.cgroup, &entry.process) {
            (Some(unit), None, None) => (unit_target(unit)?, ("unit", unit.clone())),
            (None, Some(path), None) => (cgroup_target(path)?, ("cgroup", path.clone())),
            (None, None, Some(process)) => {
                let pattern = ProcessPattern::new(process)?;
                let said = [&process.name, &process.exe, &process.cmdline, &process.user];
                let said = said.into_iter().flatten().next().cloned().unwrap_or_default();
                (Target::Process(pattern), ("process", said))
            }
            (None, None, None) => {
                return Err(refusal("", "names nothing: give one of `unit`, `cgroup` and `process`"));
            }
            _ => return Err(refusal("", "names several things: give one of `unit`, `cgroup` and `process`")),
        };
        let wildcards = match &target {
            Target::Cgroup(pattern) => pattern.wildcards(),
            Target::Unit { .. } | Target::Process(_) => 0,
        };
        let (service, is_template) = service_of(entry, wildcards)?;
        Ok(Self { target, service, is_template, label })
    }

    /// The name of the service, where it does not come from a path.
    pub(super) fn fixed_service(&self) -> Option<&str> {
        (!self.is_template).then_some(&*self.service)
    }

    /// The service that a cgroup's readings are about, if the cgroup is what is looked for.
    pub(super) fn service_at(&self, path: &str) -> Option<String> {
        let pattern = self.path_pattern()?;
        let captures = pattern.regex.captures(path)?;
        let mut service = String::new();
        if self.is_template {
            captures.expand(&self.service, &mut service);
        } else {
            service.clone_from(&self.service);
        }
        Some(service)
    }

    pub(super) const fn path_pattern(&self) -> Option<&PathPattern> {
        match &self.target {
            Target::Unit { pattern, .. } | Target::Cgroup(pattern) => Some(pattern),
            Target::Process(_) => None,
        }
    }

    pub(super) const fn process_pattern(&self) -> Option<&ProcessPattern> {
        match &self.target {
            Target::Process(pattern) => Some(pattern),
            Target::Unit { .. } | Target::Cgroup(_) => None,
        }
    }

    /// Name of the one thing there can be in a reading's label; `None` where there can be several.
    pub(super) fn is_one(&self) -> bool {
        match &self.target {
            Target::Unit { expected, .. } => expected.is_some(),
            Target::Cgroup(pattern) => pattern.wildcards() == 0,
            Target::Process(_) => true,
        }
    }

    /// What is looked for, in words.
    pub(super) fn said(&self) -> String {
        format!("{} {}", self.label.0, self.label.1)
    }
}

fn unit_target(name: &str) -> Result<Target, Refusal> {
    if unit::stem(name).is_none() {
        let message = format!(
            "`{name}` is no unit that has processes; write its whole name, such as `payment.service`"
        );
        return Err(refusal("unit", message));
    }
    let expected = if unit::is_wild(name) { None } else { unit::expected_path(name) };
    Ok(Target::Unit { expected, pattern: PathPattern::new(&format!("/**/{}", unit::folder_name(name)))? })
}

fn cgroup_target(path: &str) -> Result<Target, Refusal> {
    if !path.starts_with('/') {
        return Err(refusal("cgroup", format!("`{path}` must begin with `/`, the root of control groups")));
    }
    Ok(Target::Cgroup(PathPattern::new(path.trim_end_matches('/'))?))
}

/// The service's name and whether captures are to be put into it.
fn service_of(entry: &Entry, wildcards: usize) -> Result<(String, bool), Refusal> {
    let Some(service) = &entry.service else {
        let unit = entry.unit.as_deref().filter(|unit| !unit::is_wild(unit));
        let Some(stem) = unit.and_then(unit::stem) else {
            return Err(refusal("service", "is missing: say which service the readings are about"));
        };
        check_given_service(stem).map_err(|message| refusal("service", message))?;
        return Ok((stem.to_owned(), false));
    };
    if !service.contains('$') || entry.cgroup.is_none() {
        check_given_service(service).map_err(|message| refusal("service", message))?;
        return Ok((service.clone(), false));
    }
    // Stands for what is put in: `$1` and `${1}` alike, each of which must be there.
    let group = Regex::new(r"\$(?:([0-9]+)|\{([0-9]+)\}|.?)")
        .map_err(|error| refusal("service", error.to_string()))?;
    for found in group.captures_iter(service) {
        let number = found.get(1).or(found.get(2)).and_then(|number| number.as_str().parse::<usize>().ok());
        if !number.is_some_and(|number| (1..=wildcards).contains(&number)) {
            let message = format!(
                "`{}` stands for nothing: `cgroup` has {wildcards} wildcards, the first of which is `$1`",
                &found[0]
            );
            return Err(refusal("service", message));
        }
    }
    check_given_service(&group.replace_all(service, "x")).map_err(|message| refusal("service", message))?;
    Ok((service.clone(), true))
}

/// A pattern of paths, each of whose wildcards is remembered.
#[derive(Debug)]
pub(super) struct PathPattern {
    glob: Glob,
    regex: Regex,
}

impl PathPattern {
    fn new(pattern: &str) -> Result<Self, Refusal> {
        let regex = Regex::new(&as_regex(pattern));
        let regex = regex.map_err(|error| refusal("cgroup", format!("cannot be used: {error}")))?;
        Ok(Self { glob: Glob::new(pattern), regex })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// Whether a match may be somewhere below.
    pub(super) fn may_hold(&self, path: &str) -> bool {
        self.glob.may_hold(Path::new(path))
    }

    fn wildcards(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

/// The same pattern as a regular expression: of a set's inside nothing is taken literally that has a
/// meaning there.
fn as_regex(pattern: &str) -> String {
    let mut regex = String::from("^");
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if part == "**" {
            regex.push_str("((?:/[^/]+)*)");
            continue;
        }
        regex.push('/');
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let set_end = rest.char_indices().skip(2).find(|(_, c)| *c == ']').map(|(at, _)| at);
            rest = match (first, set_end) {
                ('*', _) => {
                    regex.push_str("([^/]*)");
                    &rest[1..]
                }
                ('?', _) => {
                    regex.push_str("([^/])");
                    &rest[1..]
                }
                ('[', Some(end)) => {
                    let inner = &rest[1..end];
                    let (negation, inner) = match inner.strip_prefix(['!', '^']) {
                        Some(inner) => ("^", inner),
                        None => ("", inner),
                    };
                    let inner: String = inner
                        .chars()
                        .flat_map(|c| {
                            let is_special = matches!(c, '\\' | '[' | ']' | '^' | '&' | '~');
                            is_special.then_some('\\').into_iter().chain([c])
                        })
                        .collect();
                    regex.push_str(&format!("([{negation}{inner}])"));
                    &rest[end + 1..]
                }
                _ => {
                    regex.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
                    &rest[first.len_utf8()..]
                }
            };
        }
    }
    regex.push('$');
    regex
}

/// Which processes are looked for.
#[derive(Debug)]
pub(super) struct ProcessPattern {
    /// As the kernel keeps it.
    pub(super) name: Option<Vec<u8>>,
    pub(super) exe: Option<Glob>,
    pub(super) cmdline: Option<Regex>,
    pub(super) user: Option<String>,
    pub(super) children: bool,
}

impl ProcessPattern {
    fn new(config: &ProcessConfig) -> Result<Self, Refusal> {
        let given = [&config.name, &config.exe, &config.cmdline, &config.user];
        if given.into_iter().flatten().all(|text| text.trim().is_empty()) {
            let message = "picks every process: give one of `name`, `exe`, `cmdline` and `user` at least";
            return Err(refusal("process", message));
        }
        if config.exe.as_ref().is_some_and(|exe| !exe.starts_with('/')) {
            return Err(refusal("process.exe", "must be an absolute path; `name` is without one"));
        }
        let cmdline = config.cmdline.as_deref().map(Regex::new).transpose();
        Ok(Self {
            name: config.name.as_ref().map(|name| name.as_bytes()[..name.len().min(NAME_BYTES)].to_vec()),
            exe: config.exe.as_deref().map(Glob::new),
            cmdline: cmdline.map_err(|error| refusal("process.cmdline", error.to_string()))?,
            user: config.user.clone(),
            children: config.children,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(entry: Entry) -> (String, String) {
        let refusal = Selector::new(&entry).expect_err("refused");
        (refusal.field.to_owned(), refusal.message)
    }

    #[test]
    fn a_service_is_named_by_what_wildcards_stood_for() {
        let selector = Selector::new(&Entry {
            service: Some("k8s-${1}_$3".into()),
            cgroup: Some("/kubepods.slice/**/pod[a-c]*/cri-?.scope".into()),
            ..Entry::default()
        });
        // Four wildcards: `**`, the set, `*` and `?`.
        let selector = selector.expect("valid");
        let at = |path: &str| selector.service_at(path);
        assert_eq!(
            at("/kubepods.slice/burst.slice/poda7/cri-x.scope").as_deref(),
            Some("k8s-/burst.slice_7")
        );
        assert_eq!(at("/kubepods.slice/podb/cri-x.scope").as_deref(), Some("k8s-_"));
        assert_eq!(at("/kubepods.slice/podd/cri-x.scope"), None);
        assert_eq!(selector.fixed_service(), None);
    }

    #[test]
    fn a_unit_is_its_own_service_unless_told_otherwise() {
        let unit = |unit: &str| Entry { unit: Some(unit.into()), ..Entry::default() };
        let selector = Selector::new(&unit("payment.service")).expect("valid");
        assert_eq!(selector.fixed_service(), Some("payment"));
        assert_eq!(selector.service_at("/user.slice/app.slice/payment.service").as_deref(), Some("payment"));
        assert_eq!(selector.service_at("/system.slice/my-payment.service"), None);
        assert_eq!(refused(unit("worker@*.service")).0, "service");
        assert_eq!(refused(unit("payment")).0, "unit");
    }

    #[test]
    fn entries_that_mean_nothing_are_refused_with_the_way_out() {
        let named = Entry { service: Some("a".into()), ..Entry::default() };
        assert!(refused(named.clone()).1.contains("names nothing"));
        let two = Entry { unit: Some("a.service".into()), cgroup: Some("/a".into()), ..named.clone() };
        assert!(refused(two).1.contains("several things"));
        let all = Entry { process: Some(ProcessConfig::default()), ..named.clone() };
        assert!(refused(all).1.contains("picks every process"));
        let relative = Entry { cgroup: Some("docker/x".into()), ..named.clone() };
        assert_eq!(refused(relative).0, "cgroup");
        let cgroup = Some("/docker/*".to_owned());
        let beyond = Entry { service: Some("a-$2".into()), cgroup, ..Entry::default() };
        assert!(refused(beyond).1.contains("has 1 wildcards"));
        let broken = ProcessConfig { cmdline: Some("(".into()), ..ProcessConfig::default() };
        assert_eq!(refused(Entry { process: Some(broken), ..named }).0, "process.cmdline");
    }
}
