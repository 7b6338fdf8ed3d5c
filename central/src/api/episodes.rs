//! `/api/v1/alerts/{episode}`: one time that something went wrong, who was told, and what people did about it.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use goldentime_catalog::{AlertEvent, EventKind};
use goldentime_model::problem::ProblemCode;
use serde::{Deserialize, Serialize};

use super::problem::{Body, Refusal, uncatalogued};
use super::state::ApiState;
use crate::access::Principal;
use crate::notify::Standing;
use crate::notify::decisions::DecisionError;
use crate::push::frame::AlertView;

/// An alert with how it stands with people.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) alert: AlertView,
    #[serde(flatten)]
    pub(super) standing: StandingView,
}

#[derive(Serialize)]
pub(super) struct StandingView {
    receivers: Vec<String>,
    inhibited_by: Vec<String>,
    silenced_by: Vec<String>,
    muted_by: Vec<String>,
    acknowledged: Option<Cared>,
}

#[derive(Serialize)]
struct Cared {
    by: String,
    at_ms: i64,
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        let cared = standing.acknowledged.map(|by| Cared { by: by.by, at_ms: by.at.as_millis() });
        Self {
            receivers: standing.receivers,
            inhibited_by: standing.inhibited_by.iter().map(ToString::to_string).collect(),
            silenced_by: standing.silenced_by,
            muted_by: standing.muted_by,
            acknowledged: cared,
        }
    }
}

/// An episode from its beginning.
#[derive(Serialize)]
pub(super) struct Story {
    #[serde(flatten)]
    shown: Shown,
    /// What people did, oldest first.
    events: Vec<EventView>,
    /// The pages that ended, oldest first.
    told: Vec<ToldView>,
}

#[derive(Serialize)]
pub(super) struct EventView {
    at_ms: i64,
    by: String,
    kind: EventKind,
    text: String,
}

impl From<AlertEvent> for EventView {
    fn from(AlertEvent { at, by, kind, text, .. }: AlertEvent) -> Self {
        Self { at_ms: at.as_millis(), by, kind, text }
    }
}

#[derive(Serialize)]
struct ToldView {
    at_ms: i64,
    what: String,
    channel: String,
}

/// What somebody writes.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    #[serde(default)]
    text: String,
}

/// `GET /api/v1/alerts/{episode}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    Path(episode): Path<String>,
) -> Result<Json<Story>, Refusal> {
    let story = state.notifier.decisions().story(&episode).await;
    let Some(story) = story.map_err(|error| refused("read the alert", error))? else {
        return Err(Refusal::new(ProblemCode::NotFound, format!("there is no alert `{episode}`")));
    };
    let standing = state.notifier.standing(&story.record);
    let told = story.told.into_iter().map(|told| ToldView {
        at_ms: told.at.as_millis(),
        what: told.what,
        channel: told.channel,
    });
    Ok(Json(Story {
        shown: Shown { alert: AlertView::from(&story.record.alert), standing: standing.into() },
        events: story.events.into_iter().map(EventView::from).collect(),
        told: told.collect(),
    }))
}

/// `POST /api/v1/alerts/{episode}/acknowledgement`: who asks takes care of it.
pub(super) async fn acknowledge(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Path(episode): Path<String>,
    Body(words): Body<Words>,
) -> Result<Json<EventView>, Refusal> {
    note(&state, &principal, &episode, EventKind::Acknowledged, &words.text).await
}

/// `DELETE /api/v1/alerts/{episode}/acknowledgement`: nobody does any more.
pub(super) async fn unacknowledge(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Path(episode): Path<String>,
) -> Result<Json<EventView>, Refusal> {
    note(&state, &principal, &episode, EventKind::Unacknowledged, "").await
}

/// `POST /api/v1/alerts/{episode}/notes`: writes something down.
pub(super) async fn write_note(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Path(episode): Path<String>,
    Body(words): Body<Words>,
) -> Result<Json<EventView>, Refusal> {
    note(&state, &principal, &episode, EventKind::Noted, &words.text).await
}

async fn note(
    state: &ApiState,
    principal: &Principal,
    episode: &str,
    kind: EventKind,
    text: &str,
) -> Result<Json<EventView>, Refusal> {
    let noted = state.notifier.decisions().note(episode, kind, &principal.name, text).await;
    noted.map(|event| Json(event.into())).map_err(|error| refused("note what was done", error))
}

fn refused(what: &str, error: DecisionError) -> Refusal {
    match error {
        DecisionError::Invalid(detail) => Refusal::new(ProblemCode::InvalidRequest, detail),
        DecisionError::Unknown(detail) => Refusal::new(ProblemCode::NotFound, detail),
        DecisionError::Store(error) => uncatalogued(what, &error),
        error @ DecisionError::Random(_) => Refusal::internal(what, &error),
    }
}
