//! `GET /api/v1/slos`: every error budget; `…/slos/spent`: what one was spent by.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use goldentime_model::alert::label;
use goldentime_model::problem::ProblemCode;
use goldentime_model::{Interval, ServiceId};
use serde::{Deserialize, Serialize};

use super::problem::{Parameters, Refusal, unanswered};
use super::span::{STORE, invalid, store_of};
use super::state::ApiState;
use crate::evaluate::budget::BudgetStatus;
use crate::evaluate::budget::spent::{Share, spent as read_spent};
use crate::evaluate::project::Part;
use crate::evaluate::status::{RuleState, RuleStatus};

/// Endpoints, and hosts, that are told of.
const SHARES_MAX: usize = 50;

/// One SLO.
#[derive(Serialize)]
pub(super) struct SloView {
    slo: Arc<str>,
    /// Of an SLO whose objectives have weights: their weighted mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    composite: Option<Composite>,
    objectives: Vec<ObjectiveView>,
}

/// Weighted means over the objectives.
#[derive(Serialize)]
struct Composite {
    /// Share of the budget that is left.
    left: Option<f64>,
    burn_rate: Option<f64>,
}

/// One objective over one part of one service.
#[derive(Serialize)]
struct ObjectiveView {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Rules of it that fire.
    firing: Vec<Arc<str>>,
    #[serde(flatten)]
    budget: BudgetStatus,
}

/// `GET /api/v1/slos`.
pub(super) async fn slos(State(state): State<ApiState>) -> Json<Vec<SloView>> {
    let mut slos: BTreeMap<Arc<str>, BTreeMap<Vec<String>, ObjectiveView>> = BTreeMap::new();
    for status in state.statuses.all() {
        let (Some(slo), Some(budget)) = (status.slo.clone(), status.budget.clone()) else { continue };
        let part = |name: &str| status.labels.get(name).cloned();
        let key = [Some(budget.objective.to_string()), Some(status.service.to_string())]
            .into_iter()
            .chain([part(label::ENDPOINT), part(label::METHOD), part(label::HOST)])
            .map(Option::unwrap_or_default)
            .collect();
        let view = slos.entry(slo).or_default().entry(key).or_insert_with(|| view_of(&status, budget));
        if status.state == RuleState::Firing {
            view.firing.push(status.rule);
        }
    }
    let views = slos.into_iter().map(|(slo, objectives)| {
        let objectives: Vec<_> = objectives.into_values().collect();
        SloView { slo, composite: composite(&objectives), objectives }
    });
    Json(views.collect())
}

fn view_of(status: &RuleStatus, budget: BudgetStatus) -> ObjectiveView {
    let part = |name: &str| status.labels.get(name).cloned();
    ObjectiveView {
        service: status.service.to_string(),
        endpoint: part(label::ENDPOINT),
        method: part(label::METHOD),
        host: part(label::HOST),
        firing: Vec::new(),
        budget,
    }
}

/// Weighted means; none where an objective says nothing yet.
fn composite(objectives: &[ObjectiveView]) -> Option<Composite> {
    let weighed: Vec<_> =
        objectives.iter().filter_map(|one| one.budget.weight.map(|weight| (weight, &one.budget))).collect();
    if weighed.is_empty() {
        return None;
    }
    let whole: f64 = weighed.iter().map(|(weight, _)| weight).sum();
    let mean = |of: &dyn Fn(&BudgetStatus) -> Option<f64>| {
        let sum: Option<f64> =
            weighed.iter().map(|(weight, budget)| of(budget).map(|value| weight * value)).sum();
        sum.map(|sum| sum / whole)
    };
    Some(Composite {
        left: mean(&|budget| budget.left.map(|left| left.low)),
        burn_rate: mean(&|budget| budget.burn_rate),
    })
}

/// Which budget.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The objective's name.
    objective: String,
    /// `project/environment/service`.
    service: String,
}

/// What a budget was spent by.
#[derive(Default, Serialize)]
pub(super) struct Spent {
    endpoints: Vec<SpentBy>,
    hosts: Vec<SpentBy>,
}

#[derive(Serialize)]
struct SpentBy {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Requests since the period began.
    requests: u64,
    /// How many of them were bad, with what may have been.
    bad: Interval,
}

/// `GET /api/v1/slos/spent`.
pub(super) async fn spent(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Spent>, Refusal> {
    let store = store_of(&state)?;
    let service: ServiceId = asked.service.parse().map_err(|error| invalid(format!("service: {error}")))?;
    let rules = state.rules.borrow().clone();
    let objective = rules.objectives.iter().find(|objective| *objective.name == *asked.objective);
    let Some(objective) = objective else {
        let detail =
            format!("objective: there is no budget of `{}`; /api/v1/slos lists them", asked.objective);
        return Err(Refusal::new(ProblemCode::NotFound, detail));
    };
    let shares = read_spent(store.as_ref(), objective, &service, state.clock.now().second()).await;
    let mut spent = Spent::default();
    for share in shares.map_err(|error| unanswered(STORE, &error))? {
        let list = match &share.part {
            Part::Host(_) => &mut spent.hosts,
            Part::Endpoint(_) | Part::Service => &mut spent.endpoints,
        };
        if list.len() < SHARES_MAX {
            list.push(SpentBy::from(share));
        }
    }
    Ok(Json(spent))
}

impl From<Share> for SpentBy {
    fn from(share: Share) -> Self {
        let (endpoint, method, host) = match share.part {
            Part::Host(host) => (None, None, Some(host.to_string())),
            Part::Endpoint(key) => (Some(key.endpoint.to_string()), Some(key.method.to_string()), None),
            Part::Service => (None, None, None),
        };
        let bad = Interval { low: share.counted.bad_low as f64, high: share.counted.bad_high as f64 };
        Self { endpoint, method, host, requests: share.counted.seen, bad }
    }
}
