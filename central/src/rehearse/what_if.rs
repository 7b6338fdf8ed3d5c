//! Budgets as they would be under objectives that are not in force.

use std::sync::Arc;

use goldentime_follower::StoreError;
use goldentime_model::{Second, ServiceId};
use goldentime_series::SeriesStore;

use crate::evaluate::budget::{BudgetStatus, Objective, as_of};
use crate::evaluate::openslo::RuleSet;
use crate::evaluate::project::Projection;

/// Services that are looked through.
const SERVICES_MAX: u32 = 100_000;

/// One objective over one service.
#[derive(Clone, Debug)]
pub struct WouldBe {
    /// The objective.
    pub objective: Arc<Objective>,
    /// The service.
    pub service: ServiceId,
    /// How its budget would stand.
    pub budget: BudgetStatus,
}

/// The budgets of every objective, from stored history alone, with `target` in place of their own where
/// it is given.
pub async fn budgets(
    store: &dyn SeriesStore,
    set: &RuleSet,
    target: Option<f64>,
    now: Second,
) -> Result<Vec<WouldBe>, StoreError> {
    let services = store.services(SERVICES_MAX).await?;
    let mut found = Vec::new();
    for objective in &set.objectives {
        let target = target.unwrap_or(objective.target);
        let objective = Arc::new(Objective { target, ..(**objective).clone() });
        let counted = Projection::new(Arc::clone(&objective.counted));
        for service in services.iter().filter(|service| counted.selects(service)) {
            let budget = as_of(store, &objective, service, now).await?;
            found.push(WouldBe { objective: Arc::clone(&objective), service: service.clone(), budget });
        }
    }
    Ok(found)
}
