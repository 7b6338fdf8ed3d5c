//! Gives letters back: the running central's part of a replay.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::CatalogueError;
use goldentime_runtime::SharedClock;
use goldentime_wire::frame;
use goldentime_wire::proto::Record;
use goldentime_wire::record::StreamId;
use tokio_util::sync::CancellationToken;

use super::admission::{Admission, Admitted};
use super::replays::{Decision, Placed, Replay, ReplayStore};
use super::store::LettersError;
use super::turn::Turn;
use crate::ingest::ack::AckSink;
use crate::ingest::quic::shared::PartitionDoor;
use crate::ingest::registry::{Registry, Standing};
use crate::ingest::room::Room;
use crate::ingest::sequencer::{Incoming, Received};
use crate::ingest::validity::Refusal;
use crate::merge::dedupe::STREAM_AGE_NS_MAX;

/// How often it looks whether somebody asked for a replay.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// It looks again after this when the file or the registry cannot be read.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Letters on their way at a time. Few: live records wait behind them.
const BATCH: u32 = 64;
/// A replay that was interrupted goes on within this time. A stream is known for a day of log time.
const GO_ON_WITHIN_NS: i64 = STREAM_AGE_NS_MAX / 2;
/// Bytes on their way at a time; one letter more may pass it.
const BATCH_BYTES: i64 = 4 << 20;

/// Gives letters back as somebody asks for it.
pub struct Replayer {
    /// What is asked for.
    pub replays: Arc<dyn ReplayStore>,
    /// Whether it is this central's to work at.
    pub turn: Turn,
    /// What letters are judged by.
    pub admission: Admission,
    /// Knows agents.
    pub registry: Registry,
    /// Where records go, by partition.
    pub doors: Vec<PartitionDoor>,
    /// Memory for records on their way to the log.
    pub room: Room,
    /// The present.
    pub clock: SharedClock,
}

/// Why a replay stops here. The next look, or the next start, goes on with it.
enum Stopped {
    /// The file or the registry cannot be used.
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// It is another central's turn.
    Elsewhere,
    /// The central stops.
    Stopping,
}

impl From<LettersError> for Stopped {
    fn from(error: LettersError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CatalogueError> for Stopped {
    fn from(error: CatalogueError) -> Self {
        Self::Failed(error.into())
    }
}

impl Replayer {
    /// Looks and works until the central stops.
    pub async fn run(self, stopping: CancellationToken) {
        let mut is_failing = false;
        loop {
            let pause = match self.look(&stopping).await {
                Ok(true) => continue,
                Ok(false) | Err(Stopped::Elsewhere) => LOOK_EVERY,
                Err(Stopped::Stopping) => return,
                Err(Stopped::Failed(error)) => {
                    // Only the first of a row of failures goes to the log.
                    if !is_failing {
                        tracing::warn!(%error, "dead letters cannot be replayed; trying again");
                    }
                    is_failing = true;
                    RETRY_AFTER
                }
            };
            is_failing &= pause == RETRY_AFTER;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Brings the oldest replay to its end, if there is one.
    async fn look(&self, stopping: &CancellationToken) -> Result<bool, Stopped> {
        self.ours()?;
        let Some(replay) = self.replays.next(self.clock.now()).await? else { return Ok(false) };
        if self.clock.now().since(replay.begun_at) > GO_ON_WITHIN_NS {
            self.leave(&replay).await?;
        }
        self.go_on(&replay, stopping).await?;
        while self.batch(&replay).await? {
            self.go_on(&replay, stopping).await?;
            self.ours()?;
        }
        self.replays.end(replay.id, self.clock.now()).await?;
        tracing::info!(replay = replay.id, "dead letters were replayed");
        Ok(true)
    }

    /// What was begun is gone on with by whose turn it is then.
    fn ours(&self) -> Result<(), Stopped> {
        if self.turn.is_ours() { Ok(()) } else { Err(Stopped::Elsewhere) }
    }

    /// Refuses what has a place for so long that whoever drops repeats may have forgotten the stream.
    async fn leave(&self, replay: &Replay) -> Result<(), LettersError> {
        let placed = self.replays.placed(replay.id, BATCH).await?;
        let refusal = || {
            let detail = "a replay was interrupted and too long ago to go on: whether the log has the record is not \
                known; look at the charts of its time, and replay it if it is missing there";
            Decision::Refused(Refusal::new("replay_interrupted", detail))
        };
        let refused: Vec<_> = placed.iter().map(|place| (place.letter, refusal())).collect();
        self.decide(replay, &refused).await
    }

    /// Decides about the next letters. Gives whether there were any.
    async fn batch(&self, replay: &Replay) -> Result<bool, Stopped> {
        let waiting = self.replays.waiting(replay.id, BATCH).await?;
        let is_more = !waiting.is_empty();
        let mut taken = 0;
        let fits = |(_, bytes): &(i64, i64)| {
            taken += bytes;
            taken - bytes < BATCH_BYTES
        };
        let waiting: Vec<_> = waiting.into_iter().take_while(fits).collect();
        let (mut decisions, mut senders) = (Vec::with_capacity(waiting.len()), HashMap::new());
        for (letter, _) in waiting {
            let decision = match self.judge(letter, &mut senders).await? {
                Some(Ok(admitted)) => Decision::Admitted {
                    partition: admitted.partition(),
                    is_judged: admitted.judged.is_some(),
                    is_line: admitted.lines.is_some(),
                    is_late: admitted.is_late(self.clock.now()),
                },
                Some(Err(refusal)) => Decision::Refused(refusal),
                // Dropped in this instant, and with it its part in the replay.
                None => continue,
            };
            decisions.push((letter, decision));
        }
        self.decide(replay, &decisions).await?;
        Ok(is_more)
    }

    async fn decide(&self, replay: &Replay, decisions: &[(i64, Decision)]) -> Result<(), LettersError> {
        self.replays.decide(replay.id, decisions).await?;
        let refused = decisions.iter().filter(|(_, decision)| matches!(decision, Decision::Refused(_)));
        count("refused", refused.count());
        Ok(())
    }

    /// Judges a letter; `senders` are those that were asked for in this batch.
    async fn judge(
        &self,
        letter: i64,
        senders: &mut HashMap<String, Standing>,
    ) -> Result<Option<Result<Admitted, Refusal>>, Stopped> {
        let Some(letter) = self.replays.letter(letter).await? else { return Ok(None) };
        let agent = &letter.head.agent;
        if !senders.contains_key(agent) {
            senders.insert(agent.clone(), self.registry.standing(agent).await?);
        }
        Ok(Some(self.admission.admit(&letter, senders.get(agent))))
    }

    /// Sends whatever has a place and no receipt, under that place, until the log has it all.
    async fn go_on(&self, replay: &Replay, stopping: &CancellationToken) -> Result<(), Stopped> {
        loop {
            let placed = self.replays.placed(replay.id, BATCH).await?;
            if placed.is_empty() {
                return Ok(());
            }
            let refused = tokio::select! {
                sent = self.send_all(replay, &placed) => sent?,
                // What has its place goes on there at the next start.
                () = stopping.cancelled() => return Err(Stopped::Stopping),
            };
            let given: Vec<_> = placed
                .into_iter()
                .filter(|place| refused.iter().all(|(letter, _)| *letter != place.letter))
                .collect();
            self.replays.given(replay.id, &given, self.clock.now()).await?;
            count("given", given.len());
            self.decide(replay, &refused).await?;
        }
    }

    /// Sends letters, and waits until the log has them. Gives those that cannot be sent.
    async fn send_all(&self, replay: &Replay, placed: &[Placed]) -> Result<Vec<(i64, Decision)>, Stopped> {
        let acks = AckSink::default();
        let (mut awaited, mut refused) = (HashMap::new(), Vec::new());
        for place in placed {
            let Some(door) = usize::try_from(place.partition).ok().and_then(|at| self.doors.get(at)) else {
                continue;
            };
            let admitted = match self.admitted_before(*place).await? {
                Ok(admitted) => admitted,
                Err(refusal) => {
                    refused.push((place.letter, Decision::Refused(refusal)));
                    Admitted::default()
                }
            };
            let parts = [
                (admitted.judged, replay.stream, place.number),
                (admitted.lines, replay.lines, place.line_number),
            ];
            for (record, stream, number) in parts {
                let (Some(record), Some(number)) = (record, number) else { continue };
                let received = self.received(record, stream, *place, number);
                let room = self.room.take(received.bytes.len()).await.ok_or(Stopped::Stopping)?;
                let (record, ack, letters) = (Some(received), acks.clone(), Vec::new());
                let incoming = Incoming { record, stream, number, ack, letters, room };
                door.records.send(incoming).await.map_err(|_| Stopped::Stopping)?;
                awaited.insert((stream, place.partition), number);
            }
        }
        while !awaited.is_empty() {
            for (stream, partition, number) in acks.take().await {
                if awaited.get(&(stream, partition)).is_some_and(|last| *last <= number) {
                    awaited.remove(&(stream, partition));
                }
            }
        }
        Ok(refused)
    }

    /// What a letter that has its place holds: the same however often it is asked for, since the log may have it
    /// already. Nothing where the letter is gone. Refused only by a program that takes less than the one that gave
    /// it its place.
    async fn admitted_before(&self, place: Placed) -> Result<Result<Admitted, Refusal>, LettersError> {
        let Some(letter) = self.replays.letter(place.letter).await? else {
            return Ok(Ok(Admitted::default()));
        };
        Ok(self.admission.admit(&letter, None))
    }

    fn received(&self, mut record: Record, stream: StreamId, place: Placed, number: u64) -> Received {
        record.stream = stream.to_vec().into();
        record.partition = place.partition;
        record.number = number;
        let service = record.service.parse().ok();
        Received { bytes: frame::body(&record), record, service, received: self.clock.now() }
    }
}

fn count(result: &'static str, letters: usize) {
    metrics::counter!("goldentime_dead_letters_replayed_total", "result" => result).increment(letters as u64);
}
