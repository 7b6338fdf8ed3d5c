//! `GET /api/v1/live`: the live WebSocket.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use goldentime_model::problem::ProblemCode;
use goldentime_runtime::TaskKind;

use super::guard::is_foreign;
use super::problem::Refusal;
use super::state::ApiState;
use crate::access::Principal;
use crate::push::client;

/// Subprotocol of `docs/websocket.md`.
const SUBPROTOCOL: &str = "goldentime.live.v1";

pub(super) async fn live(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if is_foreign(&headers) {
        let detail = "a page of another origin may not watch; open the dashboard itself";
        return Refusal::new(ProblemCode::OriginNotAllowed, detail).into_response();
    }
    let frames = state.push.frames.clone();
    let Some(place) = frames.enter() else {
        let detail = "as many clients as allowed watch already; close one and try again";
        return Refusal::new(ProblemCode::TooManyClients, detail).into_response();
    };
    let (tasks, access) = (state.tasks.clone(), state.access.clone());
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(client::MESSAGE_BYTES_MAX)
        .max_frame_size(client::MESSAGE_BYTES_MAX)
        .on_upgrade(async move |socket| {
            let stopping = tasks.stopping();
            tasks.spawn(TaskKind::Connection, "live client", async move {
                tokio::select! {
                    () = client::serve(socket, frames, place, stopping) => {}
                    // The browser finds a closed connection, asks who it is, and signs in.
                    () = access.ended(&principal) => {}
                }
            });
        })
}
