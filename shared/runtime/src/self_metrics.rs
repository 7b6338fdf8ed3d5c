//! Metrics about oneself, in Prometheus's text form.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Buckets for durations in seconds, from a tenth of a millisecond to half a minute.
const DURATION_BUCKETS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Renders what was recorded. Cheap to clone.
#[derive(Clone)]
pub struct SelfMetrics(PrometheusHandle);

impl SelfMetrics {
    /// Installs the process's recorder. May be called once a process.
    pub fn install() -> Result<Self, String> {
        PrometheusBuilder::new()
            .set_buckets(&DURATION_BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .map(Self)
            .map_err(|error| format!("metrics recorder: {error}"))
    }

    /// The exposition text. Also folds what was recorded since the last call, so call it at least
    /// every few seconds even if nobody scrapes, or histograms grow.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }

    /// Folds what was recorded since the last call.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}
