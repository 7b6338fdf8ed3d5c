//! `GET /api/v1/logs/tail`: lines as they are stored, over a WebSocket.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use goldentime_model::problem::ProblemCode;
use goldentime_runtime::TaskKind;
use serde::Serialize;
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::super::guard::is_foreign;
use super::super::problem::{Parameters, Refusal};
use super::super::state::ApiState;
use super::asked::Filter;
use super::find::logs;
use super::shown::LineView;
use crate::access::Principal;
use crate::persist::tail::{Told, Watcher};

/// Subprotocol of `docs/api.md`.
const SUBPROTOCOL: &str = "goldentime.logs.v1";
/// Nothing is expected from a client but its close frame.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Lines in one message.
const LINES_MAX: usize = 500;
/// Messages are at least this far apart: a page of lines reads better than lines one by one.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a client is asked whether it is there, and how long it may say nothing.
const PING_EVERY: Duration = Duration::from_secs(10);
const SILENT_MAX: Duration = Duration::from_secs(30);
/// How long its socket may take nothing.
const STALLED_MAX: Duration = Duration::from_secs(10);

const GOING_AWAY: u16 = 1001;

/// What is sent.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    /// Lines in the order in which they were stored.
    Lines { lines: Vec<LineView> },
    /// So many lines that were meant are left out here: this client was too slow for them.
    Gap { lines: u64 },
}

pub(in crate::api) async fn tail(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    Parameters(filter): Parameters<Filter>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if is_foreign(&headers) {
        let detail = "a page of another origin may not watch; open the dashboard itself";
        return Refusal::new(ProblemCode::OriginNotAllowed, detail).into_response();
    }
    if !state.stores_lines {
        let detail = "lines are watched where they are stored, by a central with the role `process`, and this one has it \
                      not; search here, or watch there";
        return Refusal::new(ProblemCode::Unavailable, detail).into_response();
    }
    let watched = filter.query().and_then(|query| Ok(logs(&state)?.tail().watch(query)));
    let watcher = match watched {
        Ok(Some(watcher)) => watcher,
        Ok(None) => {
            let detail = "as many clients as allowed watch log lines already; close one and try again";
            return Refusal::new(ProblemCode::TooManyClients, detail).into_response();
        }
        Err(refusal) => return refusal.into_response(),
    };
    let (tasks, access) = (state.tasks.clone(), state.access.clone());
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(async move |socket| {
            let stopping = tasks.stopping();
            tasks.spawn(TaskKind::Connection, "log tail", async move {
                tokio::select! {
                    () = serve(socket, watcher, stopping) => {}
                    // Whoever may not look any more finds a closed connection.
                    () = access.ended(&principal) => {}
                }
            });
        })
}

/// Serves one client until it leaves, takes nothing, or the central stops.
async fn serve(mut socket: WebSocket, watcher: Watcher, stopping: CancellationToken) {
    let mut heard = Instant::now();
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut next_at = Instant::now();
    loop {
        let told = async {
            tokio::time::sleep_until(next_at).await;
            watcher.next(LINES_MAX).await
        };
        tokio::select! {
            told = told => {
                for frame in frames(told) {
                    let Ok(text) = serde_json::to_string(&frame) else { continue };
                    if !send(&mut socket, Message::Text(text.into())).await {
                        return;
                    }
                }
                next_at = Instant::now() + PAUSE;
            }
            () = stopping.cancelled() => return close(socket, "the central stops").await,
            _ = pings.tick() => {
                if heard.elapsed() > SILENT_MAX {
                    return close(socket, "nothing was heard for 30 s").await;
                }
                if !send(&mut socket, Message::Ping(bytes::Bytes::new())).await {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => heard = Instant::now(),
            },
        }
    }
}

/// Lines together, gaps where they are.
fn frames(told: Vec<Told>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for told in told {
        match (told, frames.last_mut()) {
            (Told::Line(line), Some(Frame::Lines { lines })) => lines.push(LineView::from((*line).clone())),
            (Told::Line(line), _) => {
                frames.push(Frame::Lines { lines: vec![LineView::from((*line).clone())] })
            }
            (Told::Gap(lines), _) => frames.push(Frame::Gap { lines }),
        }
    }
    frames
}

/// Whether the client took it.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    let sent = timeout(STALLED_MAX, socket.send(message)).await;
    if sent.is_err() {
        metrics::counter!("goldentime_logs_tail_clients_dropped_total", "reason" => "stalled").increment(1);
    }
    matches!(sent, Ok(Ok(())))
}

async fn close(mut socket: WebSocket, reason: &'static str) {
    let frame = CloseFrame { code: GOING_AWAY, reason: Utf8Bytes::from_static(reason) };
    // A peer that does not take its close frame in time is dropped all the same.
    let _ = timeout(Duration::from_secs(1), socket.send(Message::Close(Some(frame)))).await;
}
