//! A budget by stored history alone.

use std::sync::Arc;

use goldentime_follower::StoreError;
use goldentime_model::{Second, ServiceId};
use goldentime_series::SeriesStore;

use super::super::project::Part;
use super::history::{Wanted, read};
use super::objective::Objective;
use super::status::BudgetStatus;
use super::track::Track;

/// How the budget of a service as a whole stands at `now`, to within the last row of ten seconds.
pub async fn as_of(
    store: &dyn SeriesStore,
    objective: &Arc<Objective>,
    service: &ServiceId,
    now: Second,
) -> Result<BudgetStatus, StoreError> {
    let until = Second(now.0 - now.0.rem_euclid(10));
    let mut track = Track::new(objective, until);
    let wanted = Wanted {
        service: service.clone(),
        objective: Arc::clone(objective),
        part: Part::Service,
        until,
        reaches: track.reaches(),
    };
    let past = read(store, &wanted).await?;
    track.fill(&past);
    Ok(BudgetStatus::of(objective, &track))
}
