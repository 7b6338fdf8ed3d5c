//! One client of the live WebSocket.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::frame::ClientMessage;
use super::frames::{BEHIND_MAX, Frames, Place};

/// How long a client may take to subscribe.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(10);
/// How often it is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long it may say nothing at all.
const SILENT_MAX: Duration = Duration::from_secs(30);
/// How long its socket may take nothing.
const STALLED_MAX: Duration = Duration::from_secs(10);
/// A frame that takes longer than this to be taken tells of a slow client.
const PATIENCE: Duration = Duration::from_millis(500);
/// Longest message that it may send.
pub const MESSAGE_BYTES_MAX: usize = 4096;

const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const TRY_AGAIN: u16 = 1013;

/// Serves one client until it leaves, misbehaves, or the central stops.
pub async fn serve(mut socket: WebSocket, frames: Frames, place: Place, stopping: CancellationToken) {
    let subscribed = timeout(SUBSCRIBE_WITHIN, subscription(&mut socket)).await;
    let next = match subscribed {
        Ok(Ok(ClientMessage::Subscribe { resume, .. })) => {
            resume.filter(|resume| resume.boot == frames.boot()).map(|resume| resume.seq.saturating_add(1))
        }
        Ok(Err(Ended::Left)) => return,
        Ok(Err(Ended::Refused(reason))) => return close(socket, POLICY, reason).await,
        Err(_) => return close(socket, POLICY, "subscribe within 10 s of connecting".into()).await,
    };
    let client = Client { socket, frames, next, heard: Instant::now() };
    client.run(stopping).await;
    drop(place);
}

enum Ended {
    Left,
    Refused(String),
}

async fn subscription(socket: &mut WebSocket) -> Result<ClientMessage, Ended> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text)
                    .map_err(|error| Ended::Refused(format!("not a subscribe message: {error}")));
            }
            Some(Ok(Message::Binary(_))) => {
                return Err(Ended::Refused("binary messages are not understood".into()));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Left),
        }
    }
}

struct Client {
    socket: WebSocket,
    frames: Frames,
    /// Number of the next frame to send; a snapshot is due when there is none.
    next: Option<u64>,
    heard: Instant,
}

impl Client {
    async fn run(mut self, stopping: CancellationToken) {
        let mut changes = self.frames.changes();
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            changes.mark_unchanged();
            if let Err(reason) = self.catch_up().await {
                return self.leave(reason).await;
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() {
                    return close(self.socket, GOING_AWAY, "the central stops".into()).await;
                },
                () = stopping.cancelled() => {
                    return close(self.socket, GOING_AWAY, "the central stops".into()).await;
                }
                _ = pings.tick() => {
                    if self.heard.elapsed() > SILENT_MAX {
                        return close(self.socket, GOING_AWAY, "nothing was heard for 30 s".into()).await;
                    }
                    if let Err(reason) = self.send(Message::Ping(bytes::Bytes::new())).await {
                        return self.leave(reason).await;
                    }
                }
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.heard = Instant::now(),
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        let reason = "nothing may be sent after the subscribe message";
                        return close(self.socket, POLICY, reason.into()).await;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
            }
        }
    }

    /// Sends all that is kept from the next frame on, however far back a resumed client asks, and a
    /// snapshot where that does not reach.
    async fn catch_up(&mut self) -> Result<(), Stalled> {
        loop {
            let newest = self.frames.newest();
            if self.next == Some(newest + 1) {
                return Ok(());
            }
            let (sent, text) = match self.next.and_then(|next| Some((next, self.frames.get(next)?))) {
                Some(frame) => frame,
                None => self.frames.snapshot().await.ok_or(Stalled::Gone)?,
            };
            let began = Instant::now();
            self.send(Message::Text(text)).await?;
            self.next = Some(sent + 1);
            // Its socket was full: what piled up meanwhile is replaced by the latest state.
            let is_slow = began.elapsed() > PATIENCE && self.frames.newest() > sent + BEHIND_MAX;
            if is_slow {
                metrics::counter!("goldentime_push_snapshots_instead_total").increment(1);
                self.next = None;
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Stalled> {
        match timeout(STALLED_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Stalled::Gone),
            Err(_) => Err(Stalled::Stuck),
        }
    }

    async fn leave(self, reason: Stalled) {
        if reason == Stalled::Stuck {
            metrics::counter!("goldentime_push_clients_dropped_total", "reason" => "stalled").increment(1);
            close(self.socket, TRY_AGAIN, "took nothing for 10 s".into()).await;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Stalled {
    Gone,
    Stuck,
}

async fn close(mut socket: WebSocket, code: u16, reason: String) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from(truncate(reason)) };
    // A peer that does not take its close frame in time is dropped all the same.
    let _ = timeout(Duration::from_secs(1), socket.send(Message::Close(Some(frame)))).await;
}

/// A close frame has room for 123 bytes of reason (RFC 6455, section 5.5.1).
fn truncate(mut reason: String) -> String {
    const REASON_BYTES_MAX: usize = 123;
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        reason.truncate(end);
    }
    reason
}
