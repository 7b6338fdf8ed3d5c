//! What OpenSLO has no field for: annotations with the prefix `goldentime.io/`.

use goldentime_model::Labels;
use goldentime_model::alert::label;
use goldentime_model::config::node::Value;
use goldentime_model::config::{Fault, Node, nearest};

use super::super::rule::LowTrafficGuard;
use super::documents::Metadata;
use super::site::Site;

/// Prefix of our annotations; others belong to others.
const PREFIX: &str = "goldentime.io/";

/// Annotations that there are.
const KNOWN: [&str; 9] = [
    "summary",
    "summary_ko",
    "description",
    "description_ko",
    "runbook_url",
    "severity",
    "labels",
    "requests_min",
    "low_traffic",
];

/// Largest `requests_min`.
const REQUESTS_MIN_MAX: u64 = 1_000_000;

/// Labels that the evaluator sets itself.
const RESERVED: [&str; 10] = [
    label::ALERTNAME,
    label::PROJECT,
    label::ENVIRONMENT,
    label::SERVICE,
    label::ENDPOINT,
    label::METHOD,
    label::HOST,
    label::SLO,
    label::SIGNAL,
    label::SEVERITY,
];

/// What the annotations and labels of an object add to its alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Extra {
    pub(super) severity: Option<String>,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) requests_min: Option<u64>,
    pub(super) low_traffic: Option<LowTrafficGuard>,
}

impl Extra {
    /// What a window of few requests must show: the test, unless the author says otherwise or says how many
    /// requests it takes.
    pub(super) fn low_traffic(&self) -> LowTrafficGuard {
        let default = match self.requests_min {
            Some(_) => LowTrafficGuard::Off,
            None => LowTrafficGuard::Sequential,
        };
        self.low_traffic.unwrap_or(default)
    }

    /// Lays what a nearer object says over this.
    pub(super) fn with(mut self, nearer: Self) -> Self {
        self.severity = nearer.severity.or(self.severity);
        self.labels.extend(nearer.labels);
        self.annotations.extend(nearer.annotations);
        self.requests_min = nearer.requests_min.or(self.requests_min);
        self.low_traffic = nearer.low_traffic.or(self.low_traffic);
        self
    }
}

/// Reads what `metadata` adds. Its own `labels` go along too, except names that mean something else
/// to an alert; those of `goldentime.io/labels` must not be such names.
pub(super) fn extra(metadata: &Metadata, site: &Site, faults: &mut Vec<Fault>) -> Extra {
    let mut extra = Extra { labels: metadata_labels(site), ..Extra::default() };
    for (key, value) in &metadata.annotations {
        let Some(name) = key.strip_prefix(PREFIX) else { continue };
        // The key holds dots, so the path goes to the map and the place to the entry.
        let entry = site.part("metadata.annotations").and_then(|map| map.node.entry(key).cloned());
        let place = entry.map(|entry| entry.key_place);
        let mut refuse = |message: String| {
            let fault = site.fault("metadata.annotations", format!("`{key}` {message}"));
            faults.push(Fault { place: place.clone().or(fault.place.clone()), ..fault });
        };
        match name {
            "summary" | "summary_ko" | "description" | "description_ko" | "runbook_url" => {
                extra.annotations.insert(name.to_owned(), value.clone());
            }
            "severity" => extra.severity = Some(value.clone()),
            "requests_min" => match value.parse() {
                Ok(least) if least <= REQUESTS_MIN_MAX => extra.requests_min = Some(least),
                _ => refuse(format!("is no number from 0 to {REQUESTS_MIN_MAX}")),
            },
            "low_traffic" => match value.as_str() {
                "sequential" => extra.low_traffic = Some(LowTrafficGuard::Sequential),
                "off" => extra.low_traffic = Some(LowTrafficGuard::Off),
                _ => refuse(format!("is `{value}`; write `sequential` or `off`")),
            },
            "labels" => match labels(value) {
                Ok(labels) => extra.labels.extend(labels),
                Err(message) => refuse(message),
            },
            _ => refuse(match nearest(name, KNOWN) {
                Some(near) => format!("is unknown; did you mean `{PREFIX}{near}`?"),
                None => format!("is unknown; known are {}", KNOWN.map(|k| format!("{PREFIX}{k}")).join(", ")),
            }),
        }
    }
    extra
}

/// `team=payments, tier=1`.
fn labels(text: &str) -> Result<Labels, String> {
    let mut labels = Labels::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| format!("holds `{pair}`; write `name=value, …`"))?;
        let (name, value) = (name.trim(), value.trim());
        if !is_label_name(name) {
            return Err(format!("holds `{name}`, which is no label name; use letters, digits and `_`"));
        }
        if RESERVED.contains(&name) {
            return Err(format!("holds `{name}`, which every alert has already; choose another name"));
        }
        labels.insert(name.to_owned(), value.to_owned());
    }
    Ok(labels)
}

/// OpenSLO's labels are text or lists of text.
fn metadata_labels(site: &Site) -> Labels {
    let mut labels = Labels::new();
    let Some(Value::Map(entries)) = site.part("metadata.labels").map(|part| part.node.value) else {
        return labels;
    };
    for entry in entries {
        let value = match &entry.value.value {
            Value::Scalar(_, text) => text.clone(),
            Value::List(items) => items.iter().filter_map(Node::text).collect::<Vec<_>>().join(","),
            Value::Null | Value::Map(_) => continue,
        };
        if is_label_name(&entry.key) && !RESERVED.contains(&entry.key.as_str()) {
            labels.insert(entry.key, value);
        }
    }
    labels
}

/// Prometheus's label names, so that Alertmanager's clients can match them.
fn is_label_name(name: &str) -> bool {
    name.bytes()
        .enumerate()
        .all(|(at, byte)| byte.is_ascii_alphabetic() || byte == b'_' || (at > 0 && byte.is_ascii_digit()))
        && !name.is_empty()
}
