//! Unit tests of rules, as files say them: series in, alerts and budgets out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goldentime_model::config::load::{read_file, source};
use goldentime_model::config::{Fault, Faults, Node, Place, decode, yaml};
use goldentime_model::units::HumanDuration;
use goldentime_model::{Counts, Labels, Second, ServiceId};
use goldentime_windows::{Aggregate, EndpointKey, SecondCell};
use serde::Deserialize;

use super::desk::Desk;
use super::values::{self, SECONDS_MAX};
use super::verdict;
use crate::evaluate::openslo::RuleSet;

/// When a test begins that does not say so: a Monday, at midnight UTC.
const START: Second = Second(1_767_571_200);

/// A file of tests.
#[derive(Debug, Deserialize)]
struct File {
    /// SLO files or folders, from the file's own folder on.
    rules: Vec<PathBuf>,
    tests: Vec<Case>,
}

/// One test.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    /// When its first second is.
    #[serde(default)]
    start: Option<jiff::Timestamp>,
    series: Vec<Series>,
    pub(super) expect: Vec<Expected>,
}

/// What one endpoint of one service on one host did, a value a second.
#[derive(Debug, Deserialize)]
struct Series {
    /// `service`, or `project/environment/service`.
    service: String,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    ok: Option<String>,
    #[serde(default)]
    client_error: Option<String>,
    #[serde(default)]
    server_error: Option<String>,
    #[serde(default)]
    timeout: Option<String>,
    /// How long the requests of each second took, in seconds.
    #[serde(default)]
    latency: Option<String>,
    /// A metric, instead of requests.
    #[serde(default)]
    gauge: Option<String>,
    /// Its readings.
    #[serde(default)]
    values: Option<String>,
}

/// What must be so at one instant.
#[derive(Debug, Deserialize)]
pub(super) struct Expected {
    /// After so long.
    pub(super) at: HumanDuration,
    /// All that fires then.
    #[serde(default)]
    pub(super) firing: Option<Vec<Firing>>,
    /// How budgets stand then.
    #[serde(default)]
    pub(super) budgets: Vec<Budget>,
}

/// An alert.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Firing {
    pub(super) rule: String,
    /// Some of its labels.
    #[serde(default)]
    pub(super) labels: Labels,
}

/// A budget. What is not given is not compared.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Budget {
    pub(super) objective: String,
    #[serde(default)]
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) events: Option<f64>,
    #[serde(default)]
    pub(super) bad: Option<f64>,
    #[serde(default)]
    pub(super) sli: Option<f64>,
    #[serde(default)]
    pub(super) left: Option<f64>,
    #[serde(default)]
    pub(super) burn_rate: Option<f64>,
}

/// What came of a file's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For a terminal, ends with a newline.
    pub text: String,
    /// Tests that failed.
    pub failed: usize,
    /// The file can be read.
    pub valid: bool,
}

/// Runs the tests of one file. Blocks on the file system.
#[must_use]
pub fn run(path: &Path) -> Outcome {
    match load(path) {
        Ok((set, cases)) => {
            let (mut text, mut failed) = (String::new(), 0);
            for case in &cases {
                let wrong = case.run(&set);
                let told = if wrong.is_empty() { "ok" } else { "FAILED" };
                let _ = writeln!(text, "{}: {}: {told}", path.display(), case.case.name);
                for line in &wrong {
                    let _ = writeln!(text, "    {line}");
                }
                failed += usize::from(!wrong.is_empty());
            }
            Outcome { text, failed, valid: true }
        }
        Err(faults) => Outcome { text: format!("{faults}\n"), failed: 0, valid: false },
    }
}

fn load(path: &Path) -> Result<(RuleSet, Vec<Prepared>), Faults> {
    let text = read_file(path).map_err(|error| {
        let place = Place::whole(source(path, String::new()));
        Faults::from(Fault::at(place, format!("cannot be read: {error}")))
    })?;
    let node = yaml::parse(&source(path, text))?;
    let file: File = decode(&node)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut sources = Vec::new();
    for rules in &file.rules {
        sources.extend(RuleSet::sources(&folder.join(rules))?);
    }
    let set = RuleSet::compile(&sources)?;
    let mut faults = Vec::new();
    let cases: Vec<_> = file
        .tests
        .into_iter()
        .enumerate()
        .filter_map(|(at, case)| Prepared::new(case, &node, &format!("tests[{at}]"), &mut faults))
        .collect();
    Faults(faults).into_result().map(|()| (set, cases))
}

/// A test whose series were read.
struct Prepared {
    case: Case,
    start: Second,
    lines: Vec<Line>,
    seconds: usize,
}

/// A series that was read.
struct Line {
    service: ServiceId,
    host: Arc<str>,
    endpoint: EndpointKey,
    counts: [Vec<Option<f64>>; 4],
    latency: Vec<Option<f64>>,
    gauge: Option<(Arc<str>, Vec<Option<f64>>)>,
}

impl Prepared {
    fn new(case: Case, node: &Node, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let mut refuse = |field: String, message: String| {
            let path = format!("{path}.{field}");
            let place = node.place_of(&goldentime_model::config::node::parse_path(&path));
            faults.push(Fault { place: Some(place), path, message });
        };
        let mut lines = Vec::new();
        for (at, series) in case.series.iter().enumerate() {
            match Line::new(series) {
                Ok(line) => lines.push(line),
                Err((field, message)) => refuse(format!("series[{at}].{field}"), message),
            }
        }
        let last = case.expect.iter().map(|expected| expected.at.get().as_secs()).max().unwrap_or(0);
        for (at, expected) in case.expect.iter().enumerate() {
            let seconds = expected.at.get();
            if seconds.subsec_nanos() != 0 || !(1..=SECONDS_MAX as u64).contains(&seconds.as_secs()) {
                refuse(format!("expect[{at}].at"), "is no whole number of seconds from `1s` to `31d`".into());
            }
        }
        let start = case.start.map_or(START, |at| Second(at.as_second()));
        let seconds = usize::try_from(last).unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
        (faults.len() == before).then_some(Self { case, start, lines, seconds })
    }

    /// What is not as expected.
    fn run(&self, set: &RuleSet) -> Vec<String> {
        let mut desk = Desk::new(set, self.start).without_history();
        let mut wrong = Vec::new();
        let instants: BTreeSet<u64> = self.case.expect.iter().map(|one| one.at.get().as_secs()).collect();
        for at in 0..self.seconds {
            let second = self.start.offset(i64::try_from(at).unwrap_or(i64::MAX));
            desk.step(second, &self.cells(at));
            let passed = at as u64 + 1;
            if instants.contains(&passed) {
                let now = self.case.expect.iter().filter(|one| one.at.get().as_secs() == passed);
                now.for_each(|expected| verdict::compare(expected, &desk, &mut wrong));
            }
        }
        wrong
    }

    fn cells(&self, at: usize) -> Vec<(ServiceId, SecondCell)> {
        let mut cells: BTreeMap<ServiceId, SecondCell> = BTreeMap::new();
        for line in &self.lines {
            if let Some((gauge, values)) = &line.gauge {
                if let Some(value) = values.get(at).copied().flatten() {
                    let cell = cells.entry(line.service.clone()).or_default();
                    cell.gauges.insert(Arc::clone(gauge), value);
                }
                continue;
            }
            let aggregate = line.aggregate(at);
            if aggregate.is_empty() {
                continue;
            }
            let cell = cells.entry(line.service.clone()).or_default();
            cell.total.merge(&aggregate);
            cell.hosts.entry(Arc::clone(&line.host)).or_default().merge(&aggregate);
            cell.endpoints.entry(line.endpoint.clone()).or_default().merge(&aggregate);
        }
        cells.into_iter().collect()
    }
}

impl Line {
    fn new(series: &Series) -> Result<Self, (&'static str, String)> {
        let read = |field: &'static str, text: &Option<String>| {
            values::parse(text.as_deref().unwrap_or_default()).map_err(|message| (field, message))
        };
        let count = |field: &'static str, text: &Option<String>| {
            let values = read(field, text)?;
            match values.iter().flatten().find(|value| **value < 0.0 || value.fract() != 0.0) {
                Some(value) => Err((field, format!("holds {value}, which is no number of requests"))),
                None => Ok(values),
            }
        };
        let service: Result<ServiceId, _> = match series.service.contains('/') {
            true => series.service.parse(),
            false => format!("default/default/{}", series.service).parse(),
        };
        let service = service.map_err(|error| ("service", error.to_string()))?;
        let gauge = match (&series.gauge, &series.values) {
            (Some(gauge), values) => Some((gauge.as_str().into(), read("values", values)?)),
            (None, Some(_)) => return Err(("values", "are of a `gauge`; name it".into())),
            (None, None) => None,
        };
        let or = |text: &Option<String>, usual: &str| text.as_deref().unwrap_or(usual).into();
        Ok(Self {
            service,
            host: or(&series.host, "host"),
            endpoint: EndpointKey { endpoint: or(&series.endpoint, "/"), method: or(&series.method, "GET") },
            counts: [
                count("ok", &series.ok)?,
                count("client_error", &series.client_error)?,
                count("server_error", &series.server_error)?,
                count("timeout", &series.timeout)?,
            ],
            latency: read("latency", &series.latency)?,
            gauge,
        })
    }

    fn aggregate(&self, at: usize) -> Aggregate {
        let [ok, client_error, server_error, timeout] = self
            .counts
            .each_ref()
            .map(|values| values.get(at).copied().flatten().map_or(0, |value| value as u64));
        let mut aggregate =
            Aggregate { counts: Counts { ok, client_error, server_error, timeout }, ..Aggregate::default() };
        if let Some(seconds) = self.latency.get(at).copied().flatten() {
            aggregate.latency.insert_n(seconds, aggregate.counts.total());
        }
        aggregate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = include_str!("../../../docs/slo/availability.yaml");

    fn outcome(test: &str) -> Outcome {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("slo.yaml"), RULES).expect("written");
        let file = folder.path().join("test.yaml");
        std::fs::write(&file, test).expect("written");
        let outcome = run(&file);
        let text = outcome.text.replace(&file.display().to_string(), "test.yaml");
        Outcome { text, ..outcome }
    }

    fn rule() -> (String, String) {
        let source = source(Path::new("slo.yaml"), RULES.to_owned());
        let set = RuleSet::compile(&[source]).expect("valid");
        let rule = &set.rules[0];
        (rule.name.to_string(), rule.selector.service.clone().expect("named"))
    }

    #[test]
    fn what_is_expected_passes_and_what_is_not_is_told() {
        let (rule, service) = rule();
        let test = |firing: &str| {
            format!(
                "rules: [slo.yaml]\ntests:\n  - name: all fail\n    series:\n      - {{service: default/prod/{service}, ok: \
                 '100x600 0x600', server_error: '0x600 100x600'}}\n    expect:\n      - {{at: 10m, firing: []}}\n      \
                 - {{at: 20m, firing: [{firing}]}}\n"
            )
        };
        let good = outcome(&test(&format!("{{rule: {rule}, labels: {{service: {service}}}}}")));
        assert_eq!((good.text.as_str(), good.failed), ("test.yaml: all fail: ok\n", 0));
        let bad = outcome(&test(""));
        assert_eq!((bad.failed, bad.valid), (1, true));
        assert!(bad.text.contains(&format!("at 20m: `{rule}` fires and is not expected")), "{}", bad.text);
        let other = outcome(&test("{rule: other}"));
        assert!(other.text.contains("at 20m: `other` does not fire"), "{}", other.text);
    }

    #[test]
    fn budgets_are_compared_where_they_are_given() {
        let (_, service) = rule();
        let source = source(Path::new("slo.yaml"), RULES.to_owned());
        let set = RuleSet::compile(&[source]).expect("valid");
        let objective = &set.objectives[0];
        let test = |left: f64| {
            format!(
                "rules: [slo.yaml]\ntests:\n  - name: budget\n    series: [{{service: default/prod/{service}, ok: '999x100', \
                 server_error: '1x100'}}]\n    expect: [{{at: 100s, budgets: [{{objective: {}, events: 100000, bad: 100, \
                 left: {left}}}]}}]\n",
                objective.name
            )
        };
        let left = 1.0 - 0.001 / objective.allowed();
        let good = outcome(&test(left));
        assert_eq!(good.failed, 0, "{}", good.text);
        let bad = outcome(&test(left - 0.01));
        assert!(bad.text.contains("left is") && bad.failed == 1, "{}", bad.text);
    }

    #[test]
    fn a_file_that_is_wrong_says_where() {
        let wrong = outcome(
            "rules: [slo.yaml]\ntests:\n  - name: a\n    series: [{service: a, ok: '1y3'}]\n    expect: [{at: 0s}]\n",
        );
        assert!(!wrong.valid);
        assert!(wrong.text.contains("test.yaml:4:") && wrong.text.contains("holds `1y3`"), "{}", wrong.text);
        assert!(wrong.text.contains("expect[0].at"), "{}", wrong.text);
        let unknown = outcome("rules: [slo.yaml]\ntests: [{name: a, seres: [], expect: []}]\n");
        assert!(unknown.text.contains("did you mean `series`?"), "{}", unknown.text);
        let missing = outcome("rules: [none.yaml]\ntests: []\n");
        assert!(missing.text.contains("none.yaml"), "{}", missing.text);
    }
}
