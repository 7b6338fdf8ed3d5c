//! The one thread that empties all sockets.
//!
//! A round takes a bounded number of batches from each socket, so that a flood on one does not hold
//! up the others. When all are empty, the instant at which the round began is the input's progress.
//! After a round that took something but left nothing the thread sleeps for a moment that the
//! kernel's buffers can bridge, so that datagrams that come one by one are taken in handfuls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use goldentime_model::Second;
use goldentime_runtime::SharedClock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::config::BATCH_PACKETS;
use super::intake::Intake;
use super::listening::{AnySocket, Listening};
use super::origin::Origins;
use super::receive::Batch;
use super::status::Status;
use crate::aggregate::{Full, PositionKey, ShardHandle};

/// Batches of one socket in one round.
const BATCHES_A_TURN: usize = 32;
/// Bytes taken under one lock, so that the flusher waits a millisecond at most.
const LOCK_BYTES: usize = 128 << 10;
/// A pause shorter than this costs more than it saves.
const PAUSE_MIN: Duration = Duration::from_micros(50);
/// Longest wait without a datagram, so that progress moves on and a stop is seen.
const IDLE_WAIT: Duration = Duration::from_millis(200);
/// Pause after the system refused to give datagrams.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// How long a line waits for room in the shard before it is dropped: a flush comes at once, unless
/// the disk refuses it.
const ROOM_WAIT: Duration = Duration::from_millis(200);
/// How long the sockets are emptied after the stop.
const END_MAX: Duration = Duration::from_secs(2);
/// How often the status is renewed.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// How often it is looked whether the Unix socket's path still leads to it.
const PATH_INTERVAL: Duration = Duration::from_secs(5);

/// Reads the sockets of an input.
pub(super) struct Reader {
    pub(super) sockets: Vec<Listening>,
    pub(super) intake: Intake,
    pub(super) packet_bytes: usize,
    pub(super) shard: ShardHandle,
    pub(super) clock: SharedClock,
    pub(super) runtime: Handle,
    pub(super) published: Arc<Mutex<Status>>,
    pub(super) stopping: CancellationToken,
    pub(super) life: PositionKey,
    /// Where containers become labels.
    pub(super) origins: Option<Origins>,
}

/// What a round found.
#[derive(Clone, Copy, Default)]
struct Round {
    /// A socket may have more.
    has_more: bool,
    /// The system refused.
    has_failed: bool,
    /// How long all sockets that gave something can be left alone; `None` if none gave anything.
    pause: Option<Duration>,
}

impl Reader {
    /// Reads until told to stop and everything that was sent before is taken.
    pub(super) fn run(mut self) {
        let mut batch = Batch::new(self.packet_bytes);
        let mut second = self.clock.now().second();
        let (mut shown, mut looked) = (Instant::now(), Instant::now());
        let mut ending: Option<Instant> = None;
        let mut shard = self.shard.lock();
        shard.set_position(&self.life, READING);
        // Before a flush could be lost that nobody knows of.
        shard.hand_over();
        drop(shard);
        self.publish();
        loop {
            let began = self.clock.now();
            if ending.is_none() && self.stopping.is_cancelled() {
                ending = Some(Instant::now());
            }
            let round = self.round(&mut batch);
            if !round.has_more {
                self.shard.lock().progress(began);
            }
            self.pass_second(&mut second);
            if shown.elapsed() >= STATUS_INTERVAL {
                self.publish();
                shown = Instant::now();
            }
            if looked.elapsed() >= PATH_INTERVAL {
                self.look_for_paths();
                looked = Instant::now();
            }
            if ending.is_some_and(|since| !round.has_more || since.elapsed() >= END_MAX) {
                break;
            }
            match (round.has_failed, round.has_more, round.pause) {
                (true, ..) => sleep(ERROR_PAUSE),
                (false, true, _) => {}
                (false, false, None) => self.wait(),
                (false, false, Some(pause)) if pause >= PAUSE_MIN => sleep(pause),
                (false, false, Some(_)) => {}
            }
        }
        self.end();
    }

    fn round(&mut self, batch: &mut Batch) -> Round {
        let mut round = Round::default();
        for at in 0..self.sockets.len() {
            for turn in 1..=BATCHES_A_TURN {
                let received = match batch.receive(self.sockets[at].fd(), self.sockets[at].tells_senders) {
                    Ok(received) => received,
                    Err(error) => {
                        let address = &self.sockets[at].shown.address;
                        tracing::error!(address, %error, "cannot receive; trying again");
                        round.has_failed = true;
                        0
                    }
                };
                if received > 0 {
                    let pause = self.sockets[at].pause();
                    round.pause = Some(round.pause.map_or(pause, |known| known.min(pause)));
                    self.take(batch);
                }
                if received < BATCH_PACKETS {
                    break;
                }
                round.has_more |= turn == BATCHES_A_TURN;
            }
        }
        round
    }

    fn take(&mut self, batch: &Batch) {
        let now = self.clock.now();
        let mut shard = self.shard.lock();
        let (mut locked_bytes, mut may_wait) = (0, true);
        for packet in batch.packets() {
            if locked_bytes >= LOCK_BYTES {
                drop(shard);
                shard = self.shard.lock();
                locked_bytes = 0;
            }
            locked_bytes += packet.bytes.len();
            let tally = &mut self.intake.tally;
            tally.packets += 1;
            tally.bytes += packet.bytes.len() as u64;
            tally.cut_packets += u64::from(packet.is_cut);
            shard.count_drop("statsd_packet_cut", u64::from(packet.is_cut));
            let origin = match (&mut self.origins, packet.pid) {
                (Some(origins), Some(pid)) => origins.container(pid, now.second()).as_bytes(),
                _ => &[],
            };
            for line in packet.lines() {
                let mut taken = self.intake.take(line, origin, now, &mut shard);
                if taken.is_err() && may_wait {
                    drop(shard);
                    may_wait = has_drained(&self.runtime, &self.shard);
                    shard = self.shard.lock();
                    taken = self.intake.take(line, origin, now, &mut shard);
                }
                if taken.is_err() {
                    self.intake.give_up(line, &mut shard);
                }
            }
        }
        self.intake.tell_drops(&mut shard);
    }

    /// Ships what was summed up in a second that is over.
    fn pass_second(&mut self, second: &mut Second) {
        let now = self.clock.now().second();
        if now == *second {
            return;
        }
        *second = now;
        let mut shard = self.shard.lock();
        for socket in &mut self.sockets {
            shard.count_drop("statsd_kernel_buffer_full", socket.new_drops());
        }
        // What finds no room is shipped with the next second.
        let _ = self.intake.tick(now.start().saturating_add(-1), &mut shard);
    }

    /// Waits for a datagram, or until samples are to be shipped.
    fn wait(&self) {
        let mut limit = IDLE_WAIT;
        if self.intake.has_samples() {
            let now = self.clock.now();
            let left = now.second().end().since(now).max(0).unsigned_abs();
            limit = limit.min(Duration::from_nanos(left));
        }
        let mut fds: Vec<PollFd<'_>> = self
            .sockets
            .iter()
            .map(|listening| PollFd::from_borrowed_fd(listening.fd(), PollFlags::IN))
            .collect();
        // An interrupted wait is a short wait.
        let _ = poll(&mut fds, Some(&timespec(limit)));
    }

    /// Listens anew where a Unix socket's path was removed under it.
    fn look_for_paths(&mut self) {
        for listening in &mut self.sockets {
            let AnySocket::Unix(socket, place) = &mut listening.socket else { continue };
            if socket.is_reachable() {
                continue;
            }
            match place.listen() {
                Ok(new) => {
                    tracing::warn!(path = %place.path().display(), "the socket was removed; listening anew");
                    *socket = new;
                    listening.begin_anew();
                }
                Err(error) => tracing::error!(%error, "the socket was removed and cannot be made anew"),
            }
        }
    }

    /// The last samples, and the sign that nothing was left behind.
    fn end(mut self) {
        let since = Instant::now();
        let at = self.clock.now();
        loop {
            let shipped = self.intake.tick(at, &mut self.shard.lock());
            match shipped {
                Ok(()) => break,
                Err(Full) if since.elapsed() < END_MAX && has_drained(&self.runtime, &self.shard) => {}
                Err(Full) => {
                    tracing::error!("stopping without room for the last samples");
                    break;
                }
            }
        }
        self.shard.lock().forget_position(&self.life);
        self.publish();
    }

    fn publish(&mut self) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, packets, drops) = (published.taken(), published.packets, published.kernel_drops());
        self.intake.publish(&mut published);
        published.listeners = self.sockets.iter().map(|listening| listening.shown.clone()).collect();
        metrics::counter!("goldentime_agent_statsd_metrics_total").increment(published.taken() - taken);
        metrics::counter!("goldentime_agent_statsd_packets_total").increment(published.packets - packets);
        metrics::counter!("goldentime_agent_statsd_kernel_drops_total")
            .increment(published.kernel_drops() - drops);
        metrics::gauge!("goldentime_agent_statsd_series").set(published.series as f64);
    }
}

/// What the life position says while the input runs.
const READING: &[u8] = b"reading";

/// Waits until the flusher has taken what the shard holds; `false` if that takes too long.
fn has_drained(runtime: &Handle, shard: &ShardHandle) -> bool {
    runtime.block_on(async { tokio::time::timeout(ROOM_WAIT, shard.drained()).await.is_ok() })
}

fn sleep(time: Duration) {
    // An interrupted pause is a short pause.
    let _ = poll(&mut [], Some(&timespec(time)));
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
