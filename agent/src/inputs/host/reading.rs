//! What collectors say of one second, of the host or of a service.

use goldentime_model::{Sample, SampleKind, UnixNanos};

/// Collects the samples of one reading.
#[derive(Debug)]
pub(in crate::inputs) struct Reading {
    pub(in crate::inputs) at: UnixNanos,
    /// Since the reading before; `None` for the first, which has no rates.
    pub(in crate::inputs) elapsed_s: Option<f64>,
    pub(in crate::inputs) samples: Vec<Sample>,
}

impl Reading {
    pub(in crate::inputs) const fn new(at: UnixNanos, elapsed_s: Option<f64>) -> Self {
        Self { at, elapsed_s, samples: Vec::new() }
    }

    /// A value at this instant. `unit` as in UCUM.
    pub(in crate::inputs) fn gauge(&mut self, name: &str, unit: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, unit, labels, SampleKind::Gauge, value);
    }

    /// An increase since the reading before.
    pub(in crate::inputs) fn counter(&mut self, name: &str, unit: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, unit, labels, SampleKind::Counter, value);
    }

    fn push(&mut self, name: &str, unit: &str, labels: &[(&str, &str)], kind: SampleKind, value: f64) {
        if value.is_finite() {
            let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let (name, unit, at) = (name.to_owned(), unit.to_owned(), self.at);
            self.samples.push(Sample { name, labels, kind, value, unit, at });
        }
    }
}
