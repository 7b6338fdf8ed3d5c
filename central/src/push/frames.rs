//! The frames of the last half minute, encoded once, for clients that read at their own pace.
//!
//! There is no queue for a client: each keeps the number of its next frame and looks here. One that
//! fell too far behind takes a snapshot instead.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{mpsc, oneshot, watch};

/// Frames that are kept: half a minute of seconds with as many alerts.
const KEPT_MAX: usize = 60;
/// A client more frames behind than this gets a snapshot.
pub const BEHIND_MAX: u64 = 5;
/// Snapshots that may be asked for at once.
const SNAPSHOT_REQUESTS_MAX: usize = 64;

/// A snapshot's number and text.
pub type SnapshotText = (u64, Utf8Bytes);

/// The ring of frames. Cheap to clone.
#[derive(Clone)]
pub struct Frames(Arc<Inner>);

struct Inner {
    boot: String,
    ring: Mutex<VecDeque<(u64, Utf8Bytes)>>,
    newest: watch::Sender<u64>,
    snapshots: mpsc::Sender<oneshot::Sender<SnapshotText>>,
    clients: AtomicUsize,
    clients_max: usize,
}

/// A client's place among `clients_max`; given back when dropped.
pub struct Place(Frames);

impl Frames {
    /// An empty ring of this boot, and where snapshots are asked for.
    #[must_use]
    pub fn new(boot: String, clients_max: usize) -> (Self, mpsc::Receiver<oneshot::Sender<SnapshotText>>) {
        let (snapshots, requests) = mpsc::channel(SNAPSHOT_REQUESTS_MAX);
        let inner = Inner {
            boot,
            ring: Mutex::default(),
            newest: watch::Sender::new(0),
            snapshots,
            clients: AtomicUsize::new(0),
            clients_max,
        };
        (Self(Arc::new(inner)), requests)
    }

    /// Identity of this run of the central.
    #[must_use]
    pub fn boot(&self) -> &str {
        &self.0.boot
    }

    /// Number of the newest frame.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.0.newest.borrow()
    }

    /// Appends the frame with the number after the newest one and wakes all clients.
    pub fn append(&self, seq: u64, text: Utf8Bytes) {
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push_back((seq, text));
        if ring.len() > KEPT_MAX {
            ring.pop_front();
        }
        drop(ring);
        self.0.newest.send_replace(seq);
    }

    /// The frame with this number, while it is kept.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<Utf8Bytes> {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front()?.0;
        let at = usize::try_from(seq.checked_sub(first)?).ok()?;
        ring.get(at).map(|(_, text)| text.clone())
    }

    /// Told of each new number.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// A snapshot as of now; none when the station has ended.
    pub async fn snapshot(&self) -> Option<SnapshotText> {
        let (answer, snapshot) = oneshot::channel();
        self.0.snapshots.send(answer).await.ok()?;
        snapshot.await.ok()
    }

    /// Takes a client's place, if one is free.
    #[must_use]
    pub fn enter(&self) -> Option<Place> {
        let taken = self.0.clients.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |clients| {
            (clients < self.0.clients_max).then_some(clients + 1)
        });
        metrics::gauge!("goldentime_push_clients").set(self.clients() as f64);
        taken.is_ok().then(|| Place(self.clone()))
    }

    /// Clients at present.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.0.clients.load(Ordering::SeqCst)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.clients.fetch_sub(1, Ordering::SeqCst);
        metrics::gauge!("goldentime_push_clients").set(self.0.clients() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_by_its_number_until_it_falls_out() {
        let (frames, _requests) = Frames::new("boot".into(), 1);
        for seq in 1..=(KEPT_MAX as u64 + 10) {
            frames.append(seq, seq.to_string().into());
        }
        assert_eq!(frames.get(10), None);
        assert_eq!(frames.get(11).map(|text| text.as_str().to_owned()), Some("11".to_owned()));
        assert_eq!(frames.get(frames.newest() + 1), None);
    }

    #[test]
    fn a_place_is_free_again_when_its_client_has_left() {
        let (frames, _requests) = Frames::new("boot".into(), 1);
        let place = frames.enter().expect("free");
        assert!(frames.enter().is_none());
        drop(place);
        assert!(frames.enter().is_some());
    }
}
