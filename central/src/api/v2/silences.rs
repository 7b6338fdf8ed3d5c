//! `/api/v2/silences` and `/api/v2/silence/{id}`.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use goldentime_catalog::Silence;
use goldentime_model::{Labels, Matcher, UnixNanos};
use serde::{Deserialize, Serialize};

use super::{V2Refusal, instant, parameters, rfc3339};
use crate::access::{By, Principal};
use crate::api::problem::Body;
use crate::api::state::ApiState;
use crate::notify::decisions::Wanted;
use crate::notify::matching::Matchers;

/// Silences that ended are listed for so long, as Alertmanager keeps them.
const LISTED_FOR_NS: i64 = 120 * 3600 * 1_000_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Shown {
    id: String,
    status: Status,
    updated_at: String,
    comment: String,
    created_by: String,
    starts_at: String,
    ends_at: String,
    matchers: Vec<Matcher>,
}

#[derive(Serialize)]
struct Status {
    state: &'static str,
}

impl Shown {
    fn of(silence: Silence, now: UnixNanos) -> Self {
        let state = match silence {
            Silence { ends_at, .. } if ends_at <= now => "expired",
            Silence { starts_at, .. } if starts_at > now => "pending",
            _ => "active",
        };
        Self {
            id: silence.id,
            status: Status { state },
            updated_at: rfc3339(silence.edited_at),
            comment: silence.comment,
            created_by: silence.created_by,
            starts_at: rfc3339(silence.starts_at),
            ends_at: rfc3339(silence.ends_at),
            matchers: silence.matchers,
        }
    }
}

/// What a client wants kept. Unknown fields are passed over, as there: clients send back what they were shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Posted {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    #[serde(default)]
    created_by: String,
    comment: String,
}

#[derive(Serialize)]
pub(in crate::api) struct Kept {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

/// `GET /api/v2/silences?filter=…`: of which matchers a silence consists is what a filter looks at.
pub(in crate::api) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Shown>>, V2Refusal> {
    let filters: Vec<String> =
        parameters(&uri).into_iter().filter(|(name, _)| name == "filter").map(|(_, value)| value).collect();
    let filter = Matchers::parse(&filters).map_err(V2Refusal::invalid)?;
    let now = state.clock.now();
    let silences = state.notifier.decisions().silences(now.saturating_add(-LISTED_FOR_NS)).await?;
    let is_meant = |silence: &Silence| {
        let values: Labels =
            silence.matchers.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
        filter.match_all(&values)
    };
    Ok(Json(silences.into_iter().filter(is_meant).map(|silence| Shown::of(silence, now)).collect()))
}

/// `POST /api/v2/silences`: makes or changes one. Who is signed in by a password is who made it, whatever they say.
pub(in crate::api) async fn keep(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(posted): Body<Posted>,
) -> Result<Json<Kept>, V2Refusal> {
    let now = state.clock.now();
    let ends_at = instant(Some(&posted.ends_at))?;
    let wanted = Wanted {
        id: posted.id.filter(|id| !id.is_empty()),
        matchers: posted.matchers,
        starts_at: instant(Some(&posted.starts_at))?.unwrap_or(now),
        ends_at: ends_at.ok_or_else(|| V2Refusal::invalid("endsAt is missing"))?,
        by: signed(&principal, posted.created_by),
        comment: posted.comment,
    };
    let kept = state.notifier.decisions().silence(wanted).await?;
    Ok(Json(Kept { silence_id: kept.id }))
}

/// A program may speak for somebody; then both are named, once.
fn signed(principal: &Principal, said: String) -> String {
    let name = principal.name.to_string();
    match principal.by {
        By::ApiToken(_) if said.ends_with(&format!("({name})")) => said,
        By::ApiToken(_) if !said.is_empty() && said != name => format!("{said} ({name})"),
        _ => name,
    }
}

/// `GET /api/v2/silence/{id}`.
pub(in crate::api) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, V2Refusal> {
    match state.notifier.decisions().silence_of(&id).await? {
        Some(silence) => Ok(Json(Shown::of(silence, state.clock.now()))),
        None => Err(V2Refusal::Said(StatusCode::NOT_FOUND, format!("there is no silence `{id}`"))),
    }
}

/// `DELETE /api/v2/silence/{id}`: ends it.
pub(in crate::api) async fn expire(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<StatusCode, V2Refusal> {
    state.notifier.decisions().expire(&id).await?;
    Ok(StatusCode::OK)
}
