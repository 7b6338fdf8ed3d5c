//! Every agent as it was last heard: connections, leases, and what it says of itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_wire::proto;
use tokio::time::Instant;

use super::agents::{AgentEvent, AgentIdentity, AgentStatus};
use super::flushed::Flushed;
use super::pulse::Pulse;
use super::registry::Enrolled;

/// An agent of which another central says that it is connected there counts as that for so long.
const ELSEWHERE_FOR: Duration = Duration::from_secs(15);

/// Reasons of drops that are kept of one agent.
const DROP_REASONS_MAX: usize = 64;

/// All agents. Cheap to clone; all clones show the same.
#[derive(Clone, Debug, Default)]
pub struct AgentBoard(Arc<Mutex<HashMap<Arc<str>, Entry>>>);

#[derive(Debug)]
struct Entry {
    status: AgentStatus,
    /// Connections at present: a new one may come before the old one has ended.
    connections: u32,
    /// When another central last said that it is connected there.
    elsewhere: Option<Instant>,
    lease: Lease,
    /// Shared with its connections, which note every record there.
    pulse: Pulse,
    /// Start of the process that said hello last.
    started_ns: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    /// It runs since it was last seen.
    Running,
    /// It has ended, and that was told.
    Ended,
    /// The agent said goodbye: nothing is expected.
    Left,
}

impl Entry {
    fn shown(&self) -> AgentStatus {
        let elsewhere = self.elsewhere.is_some_and(|heard| heard.elapsed() < ELSEWHERE_FOR);
        let connected = self.connections > 0 || elsewhere;
        AgentStatus { last_seen: self.pulse.last_seen(), connected, ..self.status.clone() }
    }

    /// Something became known of what the agent has flushed.
    fn knows_flushed(&mut self, change: impl FnOnce(&mut Flushed)) {
        let before = self.status.flushed.maybe_twice;
        change(&mut self.status.flushed);
        let requests = self.status.flushed.maybe_twice.saturating_sub(before);
        if requests == 0 {
            return;
        }
        self.status.forked = true;
        // Each central knows; the one that serves it says so.
        if self.connections > 0 {
            metrics::counter!("goldentime_uplink_requests_maybe_twice_total").increment(requests);
            let AgentIdentity { agent, host, .. } = &self.status.identity;
            tracing::warn!(
                %agent,
                %host,
                requests,
                "an agent's state was put back to an older copy: what it read since that copy is read again, and \
                 may be counted twice"
            );
        }
    }
}

impl AgentBoard {
    /// A board of agents from earlier runs. Their leases begin now: they have that long to come back.
    #[must_use]
    pub fn of(enrolled: Vec<Enrolled>, now: UnixNanos) -> Self {
        let board = Self::default();
        board.learn(enrolled, now);
        board
    }

    /// Agents from earlier runs that were not known at the start. One that came meanwhile stays as it is.
    pub fn learn(&self, enrolled: Vec<Enrolled>, now: UnixNanos) {
        let mut board = self.lock();
        for agent in enrolled.into_iter().filter(|agent| agent.revoked_at.is_none()) {
            let lease = if agent.has_left { Lease::Left } else { Lease::Running };
            let last_seen = if agent.has_left { agent.last_seen } else { now };
            let identity = AgentIdentity {
                agent: agent.agent.into(),
                project: agent.project.into(),
                environment: agent.environment.into(),
                host: agent.host.into(),
            };
            board.entry(Arc::clone(&identity.agent)).or_insert_with(|| Entry {
                status: unheard(identity, last_seen),
                connections: 0,
                elsewhere: None,
                lease,
                pulse: Pulse::new(last_seen),
                started_ns: 0,
            });
        }
    }

    /// An agent said hello. Its connection lets the pulse beat with whatever it hears.
    pub fn connected(
        &self,
        identity: &AgentIdentity,
        version: &str,
        started_ns: i64,
        now: UnixNanos,
    ) -> (AgentEvent, Pulse) {
        let mut board = self.lock();
        let entry = board.entry(Arc::clone(&identity.agent)).or_insert_with(|| Entry {
            status: unheard(identity.clone(), now),
            connections: 0,
            elsewhere: None,
            lease: Lease::Running,
            pulse: Pulse::new(now),
            started_ns,
        });
        entry.connections += 1;
        entry.elsewhere = None;
        entry.started_ns = started_ns;
        entry.pulse.beat(now);
        entry.lease = Lease::Running;
        entry.status.identity = identity.clone();
        entry.status.connected = true;
        version.clone_into(&mut entry.status.version);
        let pulse = entry.pulse.clone();
        gauge(&board);
        (AgentEvent::Connected(identity.clone()), pulse)
    }

    /// An agent said how it does. A process that still pings after another one said hello as the same
    /// agent lives beside it: a cloned machine or state folder.
    pub fn reported(&self, agent: &str, started_ns: i64, ping: &proto::Ping, now: UnixNanos) {
        let mut board = self.lock();
        let Some(entry) = board.get_mut(agent) else { return };
        entry.pulse.beat(now);
        if started_ns != entry.started_ns && !entry.status.forked {
            entry.status.forked = true;
            metrics::counter!("goldentime_uplink_forks_total").increment(1);
            tracing::warn!(
                agent,
                "two processes are connected as one agent: a cloned machine or state folder"
            );
        }
        let status = &mut entry.status;
        status.clock_offset_ns = ping.offset_ns;
        if let Some(report) = &ping.report {
            status.lines_read = report.lines_read;
            status.spool_bytes = report.spool_bytes;
            status.lag_ms = report.lag_ms;
            if let Some(requests) = report.requests_flushed {
                status.flushed.has(started_ns, requests);
            }
            status.drops = report
                .drops
                .iter()
                .take(DROP_REASONS_MAX)
                .map(|(reason, count)| (reason.clone(), *count))
                .collect();
        }
    }

    /// An agent's numbers were used by another: it is a clone or was restored.
    pub fn forked(&self, agent: &str) {
        if let Some(entry) = self.lock().get_mut(agent) {
            entry.status.forked = true;
        }
    }

    /// An agent that said hello has flushed so many requests in all. Fewer than were heard of: its state was put
    /// back to an older copy.
    pub fn began(&self, agent: &str, started_ns: i64, requests: u64) {
        if let Some(entry) = self.lock().get_mut(agent) {
            entry.knows_flushed(|flushed| flushed.begins(started_ns, requests));
        }
    }

    /// Something that an agent sent was refused.
    pub fn refused(&self, agent: &str) {
        if let Some(entry) = self.lock().get_mut(agent) {
            entry.status.refused += 1;
        }
    }

    /// A connection ended; with `goodbye` nothing more is expected of the agent.
    pub fn disconnected(
        &self,
        identity: &AgentIdentity,
        goodbye: bool,
        now: UnixNanos,
    ) -> Option<AgentEvent> {
        let mut board = self.lock();
        let entry = board.get_mut(&identity.agent)?;
        entry.connections = entry.connections.saturating_sub(1);
        entry.status.connected = entry.connections > 0;
        entry.pulse.beat(now);
        let left = goodbye && entry.connections == 0;
        if left {
            entry.lease = Lease::Left;
        }
        gauge(&board);
        left.then(|| AgentEvent::Left(identity.clone()))
    }

    /// Agents that are connected to this central, as others are told of them.
    #[must_use]
    pub fn connected_here(&self) -> Vec<AgentStatus> {
        let board = self.lock();
        board.values().filter(|entry| entry.connections > 0).map(Entry::shown).collect()
    }

    /// An agent connected to another central.
    pub fn connected_elsewhere(&self, identity: &AgentIdentity, now: UnixNanos) {
        let mut board = self.lock();
        let entry = entry_of(&mut board, identity, now);
        entry.elsewhere = Some(Instant::now());
        entry.lease = Lease::Running;
        entry.pulse.beat(now);
    }

    /// An agent said goodbye to another central.
    pub fn left_elsewhere(&self, identity: &AgentIdentity, now: UnixNanos) {
        let mut board = self.lock();
        let entry = entry_of(&mut board, identity, now);
        entry.elsewhere = None;
        if entry.connections == 0 {
            entry.lease = Lease::Left;
            entry.pulse.beat(now);
        }
    }

    /// Another central says how an agent does that is connected there. Gives its coming, where that was not
    /// heard.
    pub fn heard_elsewhere(&self, status: &AgentStatus, now: UnixNanos) -> Option<AgentEvent> {
        let mut board = self.lock();
        let is_new = !board.contains_key(&status.identity.agent);
        let entry = entry_of(&mut board, &status.identity, now);
        entry.elsewhere = Some(Instant::now());
        entry.pulse.beat(now);
        if entry.connections == 0 {
            entry.status = AgentStatus { flushed: entry.status.flushed, ..status.clone() };
        }
        entry.knows_flushed(|flushed| flushed.learn(&status.flushed));
        let was_away = entry.lease != Lease::Running;
        entry.lease = Lease::Running;
        (is_new || was_away).then(|| AgentEvent::Connected(status.identity.clone()))
    }

    /// An agent was revoked: it is not shown any more, and nothing is expected of it.
    pub fn revoked(&self, agent: &str) -> Option<AgentEvent> {
        let mut board = self.lock();
        let entry = board.remove(agent)?;
        gauge(&board);
        Some(AgentEvent::Left(entry.status.identity))
    }

    /// Ends the leases of those that were not heard for longer than `lease`, each once.
    pub fn end_leases(&self, lease: Duration) -> Vec<AgentEvent> {
        let mut board = self.lock();
        let due = |entry: &&mut Entry| entry.lease == Lease::Running && entry.pulse.silent_for() > lease;
        let ended = board.values_mut().filter(due).map(|entry| {
            entry.lease = Lease::Ended;
            AgentEvent::LeaseEnded(entry.status.identity.clone())
        });
        ended.collect()
    }

    /// Every agent, by host, then id.
    #[must_use]
    pub fn all(&self) -> Vec<AgentStatus> {
        let mut all: Vec<_> = self.lock().values().map(Entry::shown).collect();
        all.sort_by(|a, b| (&a.identity.host, &a.identity.agent).cmp(&(&b.identity.host, &b.identity.agent)));
        all
    }

    /// Connected agents, and all that were ever heard.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let board = self.lock();
        (board.values().filter(|entry| entry.shown().connected).count(), board.len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry_of<'a>(
    board: &'a mut HashMap<Arc<str>, Entry>,
    identity: &AgentIdentity,
    now: UnixNanos,
) -> &'a mut Entry {
    board.entry(Arc::clone(&identity.agent)).or_insert_with(|| Entry {
        status: unheard(identity.clone(), now),
        connections: 0,
        elsewhere: None,
        lease: Lease::Running,
        pulse: Pulse::new(now),
        started_ns: 0,
    })
}

fn gauge(board: &HashMap<Arc<str>, Entry>) {
    let connected = board.values().filter(|entry| entry.status.connected).count();
    metrics::gauge!("goldentime_agents_connected").set(connected as f64);
}

fn unheard(identity: AgentIdentity, last_seen: UnixNanos) -> AgentStatus {
    AgentStatus {
        identity,
        version: String::new(),
        connected: false,
        last_seen,
        clock_offset_ns: 0,
        lines_read: 0,
        spool_bytes: 0,
        lag_ms: 0,
        drops: BTreeMap::new(),
        refused: 0,
        forked: false,
        flushed: Flushed::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> AgentIdentity {
        AgentIdentity { agent: "a1".into(), project: "p".into(), environment: "e".into(), host: "h".into() }
    }

    const LEASE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_silent_agent_is_told_once_and_one_that_left_never() {
        let board = AgentBoard::default();
        let (_, pulse) = board.connected(&identity(), "1", 7, UnixNanos(10));
        // The wall clock is no matter: it is set an hour forward here.
        pulse.beat(UnixNanos(3_600_000_000_000));
        assert_eq!(board.all()[0].last_seen, UnixNanos(3_600_000_000_000));
        assert_eq!(board.end_leases(LEASE), []);
        tokio::time::advance(LEASE + Duration::from_millis(1)).await;
        assert_eq!(board.end_leases(LEASE), [AgentEvent::LeaseEnded(identity())]);
        assert_eq!(board.end_leases(LEASE), []);
        assert_eq!(board.disconnected(&identity(), false, UnixNanos(19)), None);
        board.connected(&identity(), "1", 7, UnixNanos(20));
        assert!(board.disconnected(&identity(), true, UnixNanos(21)).is_some());
        tokio::time::advance(LEASE * 2).await;
        assert_eq!(board.end_leases(LEASE), []);
    }

    #[tokio::test(start_paused = true)]
    async fn two_processes_of_one_agent_are_seen_as_a_fork_and_a_restart_is_not() {
        let board = AgentBoard::default();
        let ping = proto::Ping::default();
        board.connected(&identity(), "1", 7, UnixNanos(1));
        board.reported("a1", 7, &ping, UnixNanos(2));
        board.connected(&identity(), "1", 8, UnixNanos(3));
        board.reported("a1", 8, &ping, UnixNanos(4));
        assert!(!board.all()[0].forked);
        board.reported("a1", 7, &ping, UnixNanos(5));
        assert!(board.all()[0].forked);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_put_back_to_an_older_copy_is_shown_with_what_may_be_counted_twice() {
        let board = AgentBoard::default();
        let has = |requests| {
            let report = proto::AgentReport { requests_flushed: Some(requests), ..Default::default() };
            proto::Ping { report: Some(report), ..Default::default() }
        };
        board.connected(&identity(), "1", 7, UnixNanos(1));
        board.began("a1", 7, 100);
        board.reported("a1", 7, &has(180), UnixNanos(2));
        board.connected(&identity(), "1", 8, UnixNanos(3));
        board.began("a1", 8, 180);
        let elsewhere = AgentBoard::default();
        assert!(elsewhere.heard_elsewhere(&board.all()[0], UnixNanos(4)).is_some());
        assert!(!elsewhere.all()[0].forked);
        // It was put back, and came to the other central.
        elsewhere.connected(&identity(), "1", 9, UnixNanos(5));
        elsewhere.began("a1", 9, 150);
        let status = &elsewhere.all()[0];
        assert!(status.forked);
        assert_eq!((status.flushed.requests, status.flushed.maybe_twice), (150, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_revoked_agent_nothing_more_is_expected() {
        let board = AgentBoard::default();
        board.connected(&identity(), "1", 7, UnixNanos(1));
        assert_eq!(board.revoked("a1"), Some(AgentEvent::Left(identity())));
        assert_eq!(board.disconnected(&identity(), false, UnixNanos(2)), None);
        tokio::time::advance(LEASE * 2).await;
        assert_eq!((board.end_leases(LEASE), board.counts()), (vec![], (0, 0)));
        assert_eq!(board.revoked("a1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_goodbye_of_an_old_connection_does_not_end_the_new_one() {
        let board = AgentBoard::default();
        board.connected(&identity(), "1", 7, UnixNanos(1));
        board.connected(&identity(), "1", 7, UnixNanos(2));
        assert_eq!(board.disconnected(&identity(), true, UnixNanos(3)), None);
        assert_eq!(board.counts(), (1, 1));
    }
}
