//! What one step of the log brings, folded into buckets of ten seconds.

use goldentime_model::{Second, ServiceId};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use crate::key::MetricKey;
use crate::reading::Reading;
use crate::resolution::Resolution;

/// Increments by service and bucket. They are added to what is stored.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Requests: of each service and bucket of ten seconds the whole, the hosts and the endpoints.
    /// Gauges of the cells are not stored.
    pub requests: HashMap<ServiceId, Vec<(Second, SecondCell)>>,
    /// Readings of each metric of each service by bucket.
    pub samples: HashMap<ServiceId, HashMap<MetricKey, Vec<(Second, Reading)>>>,
}

impl Rows {
    /// The cell of the bucket that holds `second`.
    pub fn cell(&mut self, service: &ServiceId, second: Second) -> &mut SecondCell {
        let start = Resolution::TenSeconds.bucket_of(second);
        let cells = self.requests.entry(service.clone()).or_default();
        // From the newest: records come in order of time, nearly.
        let at = cells.iter().rposition(|(known, _)| *known == start).unwrap_or_else(|| {
            cells.push((start, SecondCell::default()));
            cells.len() - 1
        });
        &mut cells[at].1
    }

    /// Adds a reading to the bucket that holds `second`.
    pub fn add_sample(&mut self, service: &ServiceId, key: MetricKey, second: Second, reading: Reading) {
        let start = Resolution::TenSeconds.bucket_of(second);
        let buckets = self.samples.entry(service.clone()).or_default().entry(key).or_default();
        match buckets.iter_mut().rev().find(|(known, _)| *known == start) {
            Some((_, sum)) => sum.merge(&reading),
            None => buckets.push((start, reading)),
        }
    }
}
