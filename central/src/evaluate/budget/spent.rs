//! Which endpoints and hosts a budget was spent by.

use std::cmp::Reverse;
use std::sync::Arc;

use goldentime_follower::StoreError;
use goldentime_model::{Second, ServiceId};
use goldentime_series::{Part as StoredPart, SeriesStore};

use super::super::project::Part;
use super::super::ring::Tally;
use super::history::{Wanted, read};
use super::objective::{Method, Objective};

/// Parts that are looked into.
const PARTS_MAX: u32 = 400;

/// What one part added to what was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The part: an endpoint or a host.
    pub part: Part,
    /// Requests of it.
    pub counted: Tally,
}

/// Requests by endpoint and host since the objective's period began, those with the most bad ones first.
/// Of time slices, too, requests are told: what makes a slice bad are they.
///
/// Reads stored history: what came in the last seconds is not in it. Empty for readings.
pub async fn spent(
    store: &dyn SeriesStore,
    objective: &Objective,
    service: &ServiceId,
    now: Second,
) -> Result<Vec<Share>, StoreError> {
    if objective.reads_samples() {
        return Ok(Vec::new());
    }
    let objective = Arc::new(Objective { method: Method::Occurrences, ..objective.clone() });
    let until = Second(now.0 - now.0.rem_euclid(10));
    let (from, _) = objective.window.period(until);
    let mut shares = Vec::new();
    for part in store.parts(service.clone(), PARTS_MAX).await? {
        let part = match part {
            StoredPart::Host(host) => Part::Host(host),
            StoredPart::Endpoint(key) => Part::Endpoint(key),
            StoredPart::Whole | StoredPart::Metric(_) => continue,
        };
        let wanted = Wanted {
            service: service.clone(),
            objective: Arc::clone(&objective),
            part: part.clone(),
            until,
            reaches: vec![(3_600, until.0 - from.0)],
        };
        let past = read(store, &wanted).await?;
        let counted = past.iter().fold(Tally::default(), |sum, one| sum.plus(one.tally));
        if counted.seen > 0 {
            shares.push(Share { part, counted });
        }
    }
    shares.sort_by_key(|share| Reverse((share.counted.bad_high, share.counted.seen)));
    Ok(shares)
}
