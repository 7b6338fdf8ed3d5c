//! `/api/v2/alerts` and `/api/v2/alerts/groups`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use goldentime_catalog::AlertRecord;
use goldentime_model::{Labels, MatchOp, Matcher};
use serde::{Deserialize, Serialize};

use super::{V2Refusal, instant, is_wanted, parameters, rfc3339};
use crate::api::problem::{Body, uncatalogued};
use crate::api::state::ApiState;
use crate::notify::foreign::{GENERATOR_URL, Posted, RESOLVE_TIMEOUT_NS};
use crate::notify::matching::Matchers;
use crate::notify::{Grouped, Standing};

/// Alerts in one request.
const POSTED_MAX: usize = 2000;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Shown {
    annotations: Labels,
    ends_at: String,
    fingerprint: String,
    receivers: Vec<Named>,
    starts_at: String,
    status: Status,
    updated_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    labels: Labels,
}

#[derive(Clone, Serialize)]
pub(in crate::api) struct Named {
    name: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    inhibited_by: Vec<String>,
    muted_by: Vec<String>,
    silenced_by: Vec<String>,
    state: &'static str,
}

#[derive(Serialize)]
pub(in crate::api) struct Group {
    alerts: Vec<Shown>,
    labels: Labels,
    receiver: Named,
}

/// Which alerts are asked for.
struct Filter {
    active: bool,
    silenced: bool,
    inhibited: bool,
    muted: bool,
    labels: Matchers,
    receiver: Option<Matchers>,
}

impl Filter {
    fn of(uri: &Uri) -> Result<Self, V2Refusal> {
        let parameters = parameters(uri);
        let all = |name: &str| -> Vec<String> {
            parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
        };
        let receiver = all("receiver").pop().filter(|receiver| !receiver.is_empty()).map(|value| {
            let matcher = Matcher { name: "receiver".into(), op: MatchOp::Regex, value };
            Matchers::new(&[matcher]).map_err(V2Refusal::invalid)
        });
        Ok(Self {
            active: is_wanted(&parameters, "active"),
            silenced: is_wanted(&parameters, "silenced"),
            inhibited: is_wanted(&parameters, "inhibited"),
            muted: is_wanted(&parameters, "muted"),
            labels: Matchers::parse(&all("filter")).map_err(V2Refusal::invalid)?,
            receiver: receiver.transpose()?,
        })
    }

    fn takes(&self, labels: &Labels, standing: &Standing) -> bool {
        let is_receiver = |name: &String| {
            let labels = Labels::from([("receiver".to_owned(), name.clone())]);
            self.receiver.as_ref().is_none_or(|receiver| receiver.match_all(&labels))
        };
        self.labels.match_all(labels)
            && standing.receivers.iter().any(is_receiver)
            && (self.active || standing.is_suppressed())
            && (self.silenced || standing.silenced_by.is_empty())
            && (self.inhibited || standing.inhibited_by.is_empty())
            && (self.muted || standing.muted_by.is_empty())
    }
}

fn shown(state: &ApiState, record: &AlertRecord, standing: &Standing) -> Shown {
    let alert = &record.alert;
    let mut annotations = alert.annotations.clone();
    let of_dashboard = || format!("{}?alert={}", state.http.page_url(), alert.episode);
    let generator_url = annotations.remove(GENERATOR_URL).unwrap_or_else(of_dashboard);
    // While it fires, the instant until which it is taken to do so.
    let until = record.expires_at.unwrap_or_else(|| state.clock.now().saturating_add(RESOLVE_TIMEOUT_NS));
    Shown {
        annotations,
        ends_at: rfc3339(alert.ends_at.unwrap_or(until)),
        fingerprint: alert.fingerprint.to_string(),
        receivers: standing.receivers.iter().map(|name| Named { name: name.clone() }).collect(),
        starts_at: rfc3339(alert.starts_at),
        status: Status {
            inhibited_by: standing.inhibited_by.iter().map(ToString::to_string).collect(),
            muted_by: standing.muted_by.clone(),
            silenced_by: standing.silenced_by.clone(),
            state: if standing.is_suppressed() { "suppressed" } else { "active" },
        },
        updated_at: rfc3339(alert.stages.received.unwrap_or(alert.starts_at)),
        generator_url,
        labels: alert.labels.clone(),
    }
}

async fn active(state: &ApiState, filter: &Filter) -> Result<Vec<(AlertRecord, Standing)>, V2Refusal> {
    let records = state.catalogue.active_alerts().await;
    let records = records.map_err(|error| uncatalogued("read the active alerts", &error))?;
    let with_standing = records.into_iter().map(|record| {
        let standing = state.notifier.standing(&record);
        (record, standing)
    });
    Ok(with_standing.filter(|(record, standing)| filter.takes(&record.alert.labels, standing)).collect())
}

/// `GET /api/v2/alerts`: what fires.
pub(in crate::api) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Shown>>, V2Refusal> {
    let found = active(&state, &Filter::of(&uri)?).await?;
    Ok(Json(found.iter().map(|(record, standing)| shown(&state, record, standing)).collect()))
}

/// `GET /api/v2/alerts/groups`: the same by what is told together.
pub(in crate::api) async fn groups(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Group>>, V2Refusal> {
    let found = active(&state, &Filter::of(&uri)?).await?;
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (record, standing) in &found {
        for Grouped { key, labels, receiver } in state.notifier.groups_of(record) {
            let empty = || Group { alerts: Vec::new(), labels, receiver: Named { name: receiver } };
            groups.entry(key).or_insert_with(empty).alerts.push(shown(&state, record, standing));
        }
    }
    Ok(Json(groups.into_values().collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PostedAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// `POST /api/v2/alerts`: what others found. One that cannot be taken keeps no other from it.
pub(in crate::api) async fn post(
    State(state): State<ApiState>,
    Body(posted): Body<Vec<PostedAlert>>,
) -> Result<StatusCode, V2Refusal> {
    if posted.len() > POSTED_MAX {
        return Err(V2Refusal::invalid(format!(
            "{} alerts in one request, more than {POSTED_MAX}",
            posted.len()
        )));
    }
    let (mut taken, mut refused) = (Vec::new(), None);
    for alert in posted {
        match read(alert) {
            Ok(alert) => taken.push(alert),
            Err(refusal) => {
                metrics::counter!("goldentime_foreign_alerts_refused_total").increment(1);
                refused = Some(refusal);
            }
        }
    }
    state.notifier.post(taken).await;
    refused.map_or(Ok(StatusCode::OK), Err)
}

fn read(posted: PostedAlert) -> Result<Posted, V2Refusal> {
    let (starts_at, ends_at) = (instant(posted.starts_at.as_deref())?, instant(posted.ends_at.as_deref())?);
    Posted::new(posted.labels, posted.annotations, starts_at, ends_at, posted.generator_url)
        .map_err(V2Refusal::invalid)
}
