//! The way to one node: a connection that writes, in the order in which it was told to, and one that
//! reads.
//!
//! Each connection has a writer epoch of its own, which stands in the fields that it writes. A
//! connection that does not answer in time is given up: what it holds may still arrive, in fields that
//! nothing else writes. Nothing is written again here; whoever gave it keeps it until it was answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Pipeline, Value};
use arc_swap::ArcSwapOption;
use backon::{BackoffBuilder, ExponentialBuilder};
use goldentime_model::UnixNanos;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::address::Address;
use super::common::Common;
use super::failure::Failure;
use super::job::{CellWrite, Job};
use super::server;

/// A pipeline is sent at this size.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A connection without anything to write is asked this often whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);

/// A handle on the task that holds the connections; the task ends when all are dropped.
pub(super) struct Link {
    jobs: mpsc::UnboundedSender<Job>,
    line: Arc<Line>,
}

/// What the handle and the task share.
struct Line {
    address: Address,
    common: Arc<Common>,
    /// Its connections work.
    reader: ArcSwapOption<MultiplexedConnection>,
    epoch: AtomicU64,
    state: Mutex<State>,
    broken: Notify,
}

struct State {
    /// The process that the last connection led to, as it names itself.
    run_id: Option<String>,
    /// Since when there has been no connection, and why.
    down: Option<(UnixNanos, Failure)>,
    /// Why the present connection is to be given up.
    broken_by: Option<Failure>,
}

/// What a job was answered, once it is.
pub(super) struct Answer {
    reply: oneshot::Receiver<Result<Vec<Value>, Failure>>,
    line: Arc<Line>,
}

/// What a link works with while it is up.
struct Opened {
    writer: MultiplexedConnection,
    reader: MultiplexedConnection,
    run_id: String,
}

enum End {
    Broken(Failure),
    /// Nobody can ask for anything any more.
    Closed,
}

impl Link {
    /// A link, and the task that works it.
    pub(super) fn new(address: Address, common: Arc<Common>) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let why = Failure::Away { node: address.to_string().into(), why: "not connected yet".into() };
        let line = Arc::new(Line {
            reader: ArcSwapOption::empty(),
            epoch: AtomicU64::new(0),
            state: Mutex::new(State { run_id: None, down: Some((common.clock.now(), why)), broken_by: None }),
            broken: Notify::new(),
            address,
            common,
        });
        (Self { jobs, line: Arc::clone(&line) }, run(line, queue))
    }

    pub(super) fn address(&self) -> &Address {
        &self.line.address
    }

    /// Since when there has been no connection, and why.
    pub(super) fn down(&self) -> Option<(UnixNanos, Failure)> {
        self.line.state().down.clone()
    }

    /// What is written from now on is told from everything before.
    pub(super) fn renew_epoch(&self) {
        self.line.epoch.store(self.line.common.next_epoch(), Ordering::SeqCst);
    }

    /// Queues what is to be written. Done when it returns: the order of the calls is the order in which
    /// it is written. Fails at once while there is no connection.
    pub(super) fn submit(&self, cells: Arc<[CellWrite]>) -> Result<Answer, Failure> {
        if let Some((_, failure)) = self.down() {
            return Err(failure);
        }
        let bytes = self.line.common.take_off(cells.iter().map(|cell| cell.bytes() as u64).sum())?;
        let (reply, answer) = oneshot::channel();
        // A task that has ended drops the job, which its answer tells.
        let _ = self.jobs.send(Job { cells, reply, _bytes: bytes });
        Ok(Answer { reply: answer, line: Arc::clone(&self.line) })
    }

    /// Sends commands that read, in one round trip, and gives an answer for each.
    pub(super) async fn ask(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let Some(reader) = self.line.reader.load_full() else { return Err(self.line.why_down()) };
        let within = self.line.common.read_timeout();
        let answer = self.line.send(&mut (*reader).clone(), pipeline, within).await;
        if let Err(failure) = &answer {
            self.line.give_up(&reader, failure.clone());
        }
        answer
    }
}

impl Answer {
    /// Waits for the answer, no longer than the node has time to give it.
    pub(super) async fn wait(self, until: Instant) -> Result<Vec<Value>, Failure> {
        match tokio::time::timeout_at(until, self.reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.line.why_down()),
            Err(_) => Err(Failure::Late(self.line.common.write_timeout())),
        }
    }
}

/// Connects, serves, and connects again, until nobody asks for anything any more.
async fn run(line: Arc<Line>, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut pauses = line.pauses();
    loop {
        let end = match line.open(&mut queue).await {
            Ok(Opened { mut writer, reader, run_id }) => {
                let since = Instant::now();
                line.up(reader, run_id);
                let end = line.serve(&mut writer, &mut queue).await;
                if since.elapsed() > line.common.config.retry_max.get() {
                    pauses = line.pauses();
                }
                end
            }
            Err(end) => end,
        };
        let End::Broken(failure) = end else { return };
        line.went_down(failure.clone());
        let pause = tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(1)));
        if refuse_while(pause, &mut queue, &failure).await.is_none() {
            return;
        }
    }
}

/// Refuses everything until `work` is done. `None` when nobody asks any more.
async fn refuse_while<T>(
    work: impl Future<Output = T>,
    queue: &mut mpsc::UnboundedReceiver<Job>,
    failure: &Failure,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            job = queue.recv() => drop(job?.reply.send(Err(failure.clone()))),
        }
    }
}

impl Line {
    /// Opens both connections, and sees whether the server will do.
    async fn open(&self, queue: &mut mpsc::UnboundedReceiver<Job>) -> Result<Opened, End> {
        let opening = async {
            let (client, config) = (self.common.client(&self.address)?, Common::connection_config());
            let failed = |error| Failure::of_connection(&self.address, &error);
            let mut writer =
                client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
            let info = ::redis::cmd("INFO").query_async::<String>(&mut writer).await;
            let info = info.map_err(|error| match error.code() {
                Some("NOPERM") => Failure::Forbidden(self.address.to_string().into(), "INFO".to_owned()),
                _ => failed(error),
            })?;
            server::check(&self.address, &info, self.common.config.cluster)?;
            let run_id = server::said(&info, "run_id").to_owned();
            let reader =
                client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
            Ok(Opened { writer, reader, run_id })
        };
        let within = self.common.connect_timeout();
        let failure = self.why_down();
        match refuse_while(tokio::time::timeout(within, opening), queue, &failure).await {
            None => Err(End::Closed),
            Some(Ok(opened)) => opened.map_err(End::Broken),
            Some(Err(_)) => Err(End::Broken(Failure::Slow { node: self.address.to_string().into(), within })),
        }
    }

    async fn serve(
        &self,
        writer: &mut MultiplexedConnection,
        queue: &mut mpsc::UnboundedReceiver<Job>,
    ) -> End {
        loop {
            let job = tokio::select! {
                job = queue.recv() => job,
                () = self.broken.notified() => match self.state().broken_by.take() {
                    Some(failure) => return End::Broken(failure),
                    None => continue,
                },
                () = tokio::time::sleep(PING_EVERY) => {
                    let mut ping = Pipeline::new();
                    ping.cmd("PING");
                    match self.send(writer, &ping, self.common.write_timeout()).await {
                        Ok(_) => continue,
                        Err(failure) => return End::Broken(failure),
                    }
                }
            };
            let Some(job) = job else { return End::Closed };
            let (mut cells, mut jobs) = (job.cells.len(), vec![job]);
            while cells < self.common.config.batch_cells_max
                && let Ok(job) = queue.try_recv()
            {
                cells += job.cells.len();
                jobs.push(job);
            }
            match self.write(writer, &jobs).await {
                Ok(mut answers) => {
                    for job in jobs {
                        let rest = answers.split_off(job.cells.len());
                        let _ = job.reply.send(Ok(std::mem::replace(&mut answers, rest)));
                    }
                }
                Err(failure) => {
                    self.went_down(failure.clone());
                    for job in jobs {
                        let _ = job.reply.send(Err(failure.clone()));
                    }
                    return End::Broken(failure);
                }
            }
        }
    }

    /// Writes jobs in their order, one batch after the other.
    async fn write(&self, writer: &mut MultiplexedConnection, jobs: &[Job]) -> Result<Vec<Value>, Failure> {
        let cells: Vec<&CellWrite> = jobs.iter().flat_map(|job| job.cells.iter()).collect();
        let (mut answers, mut rest) = (Vec::with_capacity(cells.len()), &cells[..]);
        while !rest.is_empty() {
            let (mut pipeline, mut bytes, mut taken) = (Pipeline::new(), 0, 0);
            let epoch = self.epoch.load(Ordering::SeqCst);
            while taken < rest.len().min(self.common.config.batch_cells_max) && bytes < BATCH_BYTES_MAX {
                rest[taken].render(&mut pipeline, &self.common.boot, epoch);
                bytes += rest[taken].bytes();
                taken += 1;
            }
            let given = self.send(writer, &pipeline, self.common.write_timeout()).await?;
            let mut given = given.into_iter();
            answers.extend(rest[..taken].iter().filter_map(|cell| cell.take_answer(&mut given)));
            rest = &rest[taken..];
        }
        if answers.len() == cells.len() {
            return Ok(answers);
        }
        let answer = format!("{} answers to {} writes", answers.len(), cells.len());
        Err(Failure::Refused { node: self.address.to_string().into(), answer })
    }

    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        pipeline: &Pipeline,
        within: Duration,
    ) -> Result<Vec<Value>, Failure> {
        let sent = connection.req_packed_commands(pipeline, 0, pipeline.len());
        match tokio::time::timeout(within, sent).await {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(error)) => Err(Failure::of_connection(&self.address, &error)),
            Err(_) => Err(Failure::Slow { node: self.address.to_string().into(), within }),
        }
    }

    fn up(&self, reader: MultiplexedConnection, run_id: String) {
        self.epoch.store(self.common.next_epoch(), Ordering::SeqCst);
        let mut state = self.state();
        // Known before anything is read from it.
        if state.run_id.as_ref().is_some_and(|before| *before != run_id) {
            self.common.restarted();
        }
        self.reader.store(Some(Arc::new(reader)));
        *state = State { run_id: Some(run_id), down: None, broken_by: None };
        drop(state);
        tracing::info!(node = %self.address, "connected to Redis");
        self.common.changed.notify_one();
    }

    fn went_down(&self, failure: Failure) {
        self.reader.store(None);
        let mut state = self.state();
        let told = state.down.as_ref().map(|(_, before)| before.to_string());
        if told.as_deref() != Some(&failure.to_string()) {
            tracing::warn!(node = %self.address, error = %failure, "no connection to Redis; trying again");
        }
        let since = state.down.as_ref().map_or_else(|| self.common.clock.now(), |(since, _)| *since);
        state.down = Some((since, failure));
        drop(state);
        self.common.changed.notify_one();
    }

    /// Has the connection given up that `reader` belongs to, if it is still in use.
    fn give_up(&self, reader: &Arc<MultiplexedConnection>, failure: Failure) {
        if self.reader.load().as_ref().is_some_and(|present| Arc::ptr_eq(present, reader)) {
            self.state().broken_by = Some(failure);
            self.broken.notify_one();
        }
    }

    fn why_down(&self) -> Failure {
        let away = || Failure::Away { node: self.address.to_string().into(), why: "the store closes".into() };
        self.state().down.as_ref().map_or_else(away, |(_, failure)| failure.clone())
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let config = &self.common.config;
        // The pause of the builder is the shortest; its jitter adds up to as much again.
        ExponentialBuilder::default()
            .with_min_delay(config.retry_initial.get())
            .with_max_delay(config.retry_max.get())
            .with_jitter()
            .without_max_times()
            .build()
    }

    /// The data behind the lock are replaced whole: a panic while holding it leaves them usable.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
