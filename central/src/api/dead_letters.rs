//! What could not be taken, with the reason.

use axum::Json;
use axum::extract::{Path, State};
use goldentime_model::UnixNanos;
use goldentime_model::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::problem::{Parameters, Refusal};
use super::state::ApiState;
use crate::ingest::deadletter::shown::{Reading, hex, read};
use crate::ingest::deadletter::store::PAGE_MAX;
use crate::ingest::deadletter::{
    Filter, Head, LetterId, LetterStore, LettersError, PageRequest, ReasonCount,
};

/// Bytes of what cannot be read that an answer has; `deadletter show --raw` has all.
const HEX_BYTES_MAX: usize = 4096;

/// Which letters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    reason: Option<String>,
    /// An agent's id or a host's name.
    agent: Option<String>,
    since_ms: Option<i64>,
    /// Also those that were replayed.
    #[serde(default)]
    replayed: bool,
    #[serde(default = "default_limit")]
    limit: u32,
    /// `next` of the page before.
    before: Option<String>,
}

const fn default_limit() -> u32 {
    100
}

/// A part of the list.
#[derive(Serialize)]
pub(super) struct Listed {
    letters: Vec<Head>,
    next: Option<LetterId>,
    /// How many there are of each reason, over all pages; in the first part only.
    reasons: Option<Vec<ReasonCount>>,
}

/// A letter with what is in it.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    head: Head,
    /// The agent's project when it was refused; empty where that is not known.
    project: String,
    /// What is in it, where that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    /// The first bytes of what cannot be read, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

/// `GET /api/v1/dead-letters`: newest first.
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed>, Refusal> {
    if !(1..=PAGE_MAX).contains(&asked.limit) {
        let detail = format!("limit: {} is not between 1 and {PAGE_MAX}", asked.limit);
        return Err(Refusal::new(ProblemCode::InvalidRequest, detail));
    }
    let filter = Filter {
        reason: asked.reason,
        agent: asked.agent,
        since: asked.since_ms.map(UnixNanos::from_millis),
        with_replayed: asked.replayed,
    };
    let letters = letters(&state)?;
    let reasons = match asked.before {
        None => Some(letters.summary(filter.clone()).await.map_err(unread)?),
        Some(_) => None,
    };
    let page = PageRequest { before: asked.before.map(LetterId), limit: asked.limit };
    let page = letters.list(filter, page).await.map_err(unread)?;
    Ok(Json(Listed { letters: page.letters, next: page.next, reasons }))
}

/// `GET /api/v1/dead-letters/{id}`: one, with what is in it.
pub(super) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    let letter = letters(&state)?.read(LetterId(id)).await.map_err(unread)?;
    let letter = letter.ok_or_else(|| {
        Refusal::new(ProblemCode::NotFound, "this dead letter is not kept (any more); list them anew")
    })?;
    let (record, unreadable) = match read(&letter) {
        Reading::Json(record) => (Some(record), None),
        Reading::Unreadable(why) => (None, Some(why)),
    };
    let bytes = &letter.record[..letter.record.len().min(HEX_BYTES_MAX)];
    let hex = unreadable.is_some().then(|| hex(bytes));
    Ok(Json(Shown { head: letter.head, project: letter.project, record, unreadable, hex }))
}

fn letters(state: &ApiState) -> Result<&dyn LetterStore, Refusal> {
    state.letters.as_deref().ok_or_else(|| {
        Refusal::new(ProblemCode::Unavailable, "this central keeps no dead letters that it could list")
    })
}

fn unread(error: LettersError) -> Refusal {
    let error = &error as &dyn std::error::Error;
    tracing::warn!(error, "dead letters cannot be read");
    Refusal::new(
        ProblemCode::Unavailable,
        "the dead letters cannot be read at present; ask again in a few seconds",
    )
}
