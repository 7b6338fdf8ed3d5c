//! The task that makes the frames: a delta each second, an alert at once, a snapshot when asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use goldentime_model::time::NANOS_PER_SECOND;
use goldentime_model::{Alert, Second, ServiceId};
use goldentime_runtime::{TaskKind, Tasks};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::frame::{
    AlertMessage, AlertView, CentralStatus, Delta, PROTOCOL, ServerMessage, Service, ServiceUpdate,
    SloStatus, Snapshot,
};
use super::frames::{Frames, SnapshotText};
use super::history::HISTORY_S;
use super::rows::Rows;
use super::sources::{Sources, millis};

/// Services in a snapshot and in deltas.
const SERVICES_MAX: usize = 500;
/// SLO statuses in a snapshot and in deltas.
const SLOS_MAX: usize = 2000;
/// Alerts in a snapshot.
const ALERTS_MAX: usize = 10;
/// Questions of the API that may wait.
const QUESTIONS_MAX: usize = 64;
/// A second is read this long after its end: agents flush every 100 to 200 ms.
const AFTER_SECOND: Duration = Duration::from_millis(300);

/// The push station's door for clients and for the API. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    /// The frames.
    pub frames: Frames,
    questions: mpsc::Sender<Question>,
}

/// What the API asks.
enum Question {
    Services(oneshot::Sender<Vec<Service>>),
    Central(oneshot::Sender<CentralStatus>),
}

impl Handle {
    /// One row a service, worst first, without history; none when the station has ended.
    pub async fn services(&self) -> Option<Vec<Service>> {
        self.ask(Question::Services).await
    }

    /// How the central does; none when the station has ended.
    pub async fn central(&self) -> Option<CentralStatus> {
        self.ask(Question::Central).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the station. It ends when the alerts' channel closes.
pub fn start(tasks: &Tasks, sources: Sources, clients_max: usize) -> Handle {
    let boot = format!("{:x}", sources.started.0);
    let (frames, requests) = Frames::new(boot, clients_max);
    let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
    let station = Station {
        alerts: sources.recent_alerts.iter().take(ALERTS_MAX).map(AlertView::from).collect(),
        sources,
        frames: frames.clone(),
        rows: Rows::default(),
        order: Vec::new(),
        hidden: 0,
        slos: BTreeMap::new(),
        complete: Second::default(),
    };
    tasks.spawn(TaskKind::Station, "push", station.run(requests, asked));
    Handle { frames, questions }
}

struct Station {
    sources: Sources,
    frames: Frames,
    rows: Rows,
    /// The services shown, in order.
    order: Vec<ServiceId>,
    hidden: usize,
    slos: BTreeMap<String, SloStatus>,
    alerts: VecDeque<AlertView>,
    complete: Second,
}

impl Station {
    async fn run(
        mut self,
        mut requests: mpsc::Receiver<oneshot::Sender<SnapshotText>>,
        mut asked: mpsc::Receiver<Question>,
    ) {
        loop {
            let next_second = self.until_next_second();
            tokio::select! {
                alert = self.sources.alerts.recv() => match alert {
                    Some(alert) => self.alert(&alert),
                    None => return,
                },
                () = tokio::time::sleep(next_second) => self.second().await,
                Some(answer) = requests.recv() => self.snapshot(answer),
                Some(question) = asked.recv() => self.answer(question),
            }
        }
    }

    /// Until [`AFTER_SECOND`] after the end of the next second that was not read yet.
    fn until_next_second(&self) -> Duration {
        let now = self.sources.clock.now();
        let read_next = Second((now.0 - AFTER_SECOND.as_nanos() as i64).div_euclid(NANOS_PER_SECOND));
        // The second before `read_next` is complete; if it was read, the next one is due a second later.
        let due = if self.complete < read_next.offset(-1) { read_next } else { read_next.offset(1) };
        let due = due.start().saturating_add(AFTER_SECOND.as_nanos() as i64);
        Duration::from_nanos(u64::try_from(due.since(now)).unwrap_or(0))
    }

    async fn second(&mut self) {
        let at = self.sources.clock.now();
        let began = tokio::time::Instant::now();
        self.complete = at.second().offset(-1);
        let windows = Arc::clone(&self.sources.windows);
        let refreshed = self.rows.refresh(&*windows, &self.sources.statuses, self.complete, at).await;
        let changes = match refreshed {
            Ok(changes) => changes,
            Err(error) => {
                tracing::warn!(%error, "the live page cannot read window state");
                metrics::counter!("goldentime_push_reads_failed_total").increment(1);
                return;
            }
        };
        let (order, hidden) = self.new_order();
        let mut services: Vec<ServiceUpdate> = Vec::new();
        let was_shown: std::collections::HashSet<&ServiceId> = self.order.iter().collect();
        let is_shown: std::collections::HashSet<&ServiceId> = order.iter().collect();
        for service in &order {
            if !was_shown.contains(service) || changes.new.contains(service) {
                let whole = self.rows.whole(service, self.complete, at, true);
                services.extend(whole.map(|whole| ServiceUpdate::Whole(Box::new(whole))));
            }
        }
        let known = |id: &ServiceId| is_shown.contains(id) && was_shown.contains(id);
        let changed = changes.changed.into_iter().filter(|change| known(&change.id));
        services.extend(changed.map(|change| ServiceUpdate::Change(Box::new(change))));
        let mut removed = changes.gone;
        removed.retain(|id| was_shown.contains(id));
        removed.extend(was_shown.difference(&is_shown).copied().cloned());
        removed.sort_unstable();
        removed.dedup();
        let (slos, slos_removed) = self.new_slos(&is_shown);
        let order_changed = order != self.order;
        let hidden_changed = hidden != self.hidden;
        self.order = order;
        self.hidden = hidden;
        let delta = Delta {
            seq: self.frames.newest() + 1,
            at_ms: millis(at),
            order: order_changed.then(|| self.order.clone()),
            services_hidden: hidden_changed.then_some(self.hidden),
            services,
            removed,
            slos,
            slos_removed,
            central: self.central(at),
        };
        self.frames.append(delta.seq, encode(&ServerMessage::Delta(delta)));
        metrics::histogram!("goldentime_push_frame_seconds").record(began.elapsed().as_secs_f64());
    }

    fn alert(&mut self, alert: &Alert) {
        let view = AlertView::from(alert);
        match self.alerts.iter_mut().find(|known| known.episode == view.episode) {
            Some(known) => *known = view.clone(),
            None => {
                self.alerts.push_front(view.clone());
                self.alerts.truncate(ALERTS_MAX);
            }
        }
        let seq = self.frames.newest() + 1;
        let message = AlertMessage { seq, at_ms: millis(self.sources.clock.now()), alert: view };
        self.frames.append(seq, encode(&ServerMessage::Alert(message)));
    }

    /// One who asked and left meanwhile wants no answer.
    fn answer(&self, question: Question) {
        let at = self.sources.clock.now();
        match question {
            Question::Services(answer) => {
                let rows = self.rows.order();
                let rows = rows.into_iter().filter_map(|id| self.rows.whole(id, self.complete, at, false));
                let _ = answer.send(rows.collect());
            }
            Question::Central(answer) => {
                let _ = answer.send(self.central(at));
            }
        }
    }

    fn snapshot(&self, answer: oneshot::Sender<SnapshotText>) {
        let (at, seq) = (self.sources.clock.now(), self.frames.newest());
        let services = self.order.iter().filter_map(|id| self.rows.whole(id, self.complete, at, true));
        let snapshot = Snapshot {
            protocol: PROTOCOL,
            boot: self.frames.boot(),
            seq,
            at_ms: millis(at),
            percentile_error: goldentime_sketch::RELATIVE_ERROR_MAX,
            history_s: HISTORY_S,
            services: services.collect::<Vec<Service>>(),
            services_hidden: self.hidden,
            alerts: self.alerts.iter().cloned().collect(),
            slos: self.slos.values().cloned().collect(),
            central: self.central(at),
        };
        // A client that left meanwhile wants no answer.
        let _ = answer.send((seq, encode(&ServerMessage::Snapshot(snapshot))));
    }

    fn new_order(&self) -> (Vec<ServiceId>, usize) {
        let order = self.rows.order();
        let hidden = order.len().saturating_sub(SERVICES_MAX);
        (order.into_iter().take(SERVICES_MAX).cloned().collect(), hidden)
    }

    /// SLO statuses that are new or changed, and the keys of those that are gone.
    fn new_slos(&mut self, shown: &std::collections::HashSet<&ServiceId>) -> (Vec<SloStatus>, Vec<String>) {
        let statuses = self.sources.statuses.all();
        let shown = statuses.iter().filter(|status| shown.contains(&status.service)).take(SLOS_MAX);
        let current: BTreeMap<String, SloStatus> =
            shown.map(SloStatus::from).map(|slo| (slo.key.clone(), slo)).collect();
        let changed = current.values().filter(|slo| self.slos.get(&slo.key) != Some(slo)).cloned().collect();
        let gone = self.slos.keys().filter(|key| !current.contains_key(*key)).cloned().collect();
        self.slos = current;
        (changed, gone)
    }

    fn central(&self, at: goldentime_model::UnixNanos) -> CentralStatus {
        central_status(&self.sources, &self.frames, self.rows.data_age_ms(at))
    }
}

fn central_status(sources: &Sources, frames: &Frames, data_age_ms: Option<f64>) -> CentralStatus {
    let report = (sources.report_self)();
    CentralStatus {
        version: env!("CARGO_PKG_VERSION"),
        started_ms: sources.started.as_millis(),
        not_ready: report.not_ready,
        roles: report.roles,
        missing_roles: report.missing_roles,
        members: report.members,
        agents: report.agents,
        rules: report.rules,
        channels: report.channels,
        stores: report.stores,
        data_age_ms,
        clients: frames.clients(),
    }
}

fn encode(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).expect("frames hold only strings as keys").into()
}
