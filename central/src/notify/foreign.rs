//! Alerts that others found, such as a Prometheus: routed, silenced and told like our own.
//!
//! Who found one says so again and again while it lasts, as Prometheus does each minute; one that is not heard of any
//! more until it `expires_at` is over. After a restart, others have the time to say it again.

use goldentime_catalog::AlertRecord;
use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, Severity, StageTimes, UnixNanos};
use serde::{Deserialize, Serialize};

/// Annotation that has the address where the finder shows it.
pub const GENERATOR_URL: &str = "generator_url";

/// One without an end is over when it is not heard of for this long.
pub const RESOLVE_TIMEOUT_NS: i64 = 5 * 60 * 1_000_000_000;

/// Name in the place of a rule's, in episodes.
const RULE: &str = "foreign";

const LABELS_MAX: usize = 64;
const ANNOTATIONS_MAX: usize = 64;
const BYTES_MAX: usize = 16 * 1024;

/// An alert as it was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    labels: Labels,
    annotations: Labels,
    starts_at: Option<UnixNanos>,
    ends_at: Option<UnixNanos>,
    /// Names of receivers or channels; empty: as the routes say.
    #[serde(default)]
    targets: Vec<String>,
}

impl Posted {
    /// Checks one. Labels without a value are none, as in Prometheus.
    pub fn new(
        mut labels: Labels,
        mut annotations: Labels,
        starts_at: Option<UnixNanos>,
        ends_at: Option<UnixNanos>,
        generator_url: Option<String>,
    ) -> Result<Self, String> {
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() {
            return Err("an alert needs a label".into());
        }
        if labels.contains_key("") || annotations.contains_key("") {
            return Err("a label's or an annotation's name is empty".into());
        }
        if let Some(url) = generator_url.filter(|url| !url.is_empty()) {
            annotations.insert(GENERATOR_URL.to_owned(), url);
        }
        let bytes = |all: &Labels| all.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if labels.len() > LABELS_MAX
            || annotations.len() > ANNOTATIONS_MAX
            || bytes(&labels) + bytes(&annotations) > BYTES_MAX
        {
            return Err(format!(
                "an alert has more than {LABELS_MAX} labels, {ANNOTATIONS_MAX} annotations or {BYTES_MAX} bytes of both"
            ));
        }
        if starts_at.zip(ends_at).is_some_and(|(starts, ends)| ends < starts) {
            return Err("an alert ends before it starts".into());
        }
        Ok(Self { labels, annotations, starts_at, ends_at, targets: Vec::new() })
    }

    /// The same, for these receivers or channels.
    pub(super) fn to(self, targets: Vec<String>) -> Self {
        Self { targets, ..self }
    }

    pub(super) const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// When it is or was over, for all that is known now.
    pub(super) fn ends_at(&self, now: UnixNanos) -> UnixNanos {
        self.ends_at.unwrap_or_else(|| now.saturating_add(RESOLVE_TIMEOUT_NS))
    }

    /// The alert as it begins here. Its episode begins with the word of it: the same start may be told again after it
    /// was taken to be over.
    pub(super) fn into_record(self, now: UnixNanos) -> AlertRecord {
        let fingerprint = Fingerprint::of(&self.labels);
        let expires_at = Some(self.ends_at(now));
        let severity =
            self.labels.get(label::SEVERITY).map_or(Severity::Warning, |text| Severity::from_openslo(text));
        let starts_at = self.starts_at.unwrap_or(now).min(now);
        let alert = Alert {
            fingerprint,
            episode: format!(
                "{}-{}",
                Alert::episode_id(RULE, fingerprint, starts_at.second()),
                now.as_millis()
            ),
            status: AlertStatus::Firing,
            severity,
            labels: self.labels,
            annotations: self.annotations,
            first_breach: starts_at.second(),
            starts_at,
            ends_at: None,
            stages: StageTimes { received: Some(now), ..StageTimes::default() },
        };
        AlertRecord { alert, targets: self.targets, tell_resolve: true, told: false, expires_at }
    }
}
