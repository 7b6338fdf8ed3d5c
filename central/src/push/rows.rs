//! One row a service: reads window cells into rings, and says what changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::{Aggregate, CellView, StoreError, StoredCell, Tier, WindowStore};

use super::frame::{Host, Kind, Point, Service, ServiceChange, Standing};
use super::history::{HISTORY_S, Ring, error_ratio, point, round};
use super::saturation::{Fullness, fullest, keep_own};
use super::sources::millis;
use super::status::standing;
use super::strays::{Usuals, readings};
use crate::evaluate::handle::StatusBoard;

/// Seconds back that are read again each time: later than that, records are late and rare, and the
/// page is about now.
const REVISED_S: i64 = 12;
/// Seconds over which hosts are summed.
const HOSTS_S: i64 = 10;
/// Hosts shown of one service.
const HOSTS_MAX: usize = 20;

/// What is shown of one service.
#[derive(Debug)]
struct Row {
    ring: Ring,
    standing: Standing,
    now: Option<Point>,
    hosts: Vec<Host>,
    hosts_total: usize,
    /// Fullness by second, for a host's own row.
    fullness: BTreeMap<Second, Fullness>,
    usuals: Usuals,
}

/// All rows.
#[derive(Debug, Default)]
pub struct Rows {
    rows: BTreeMap<ServiceId, Row>,
}

/// What a refresh found.
#[derive(Debug, Default)]
pub struct Changes {
    /// Services that are new; to be sent whole.
    pub new: Vec<ServiceId>,
    /// Services that changed.
    pub changed: Vec<ServiceChange>,
    /// Services that are gone.
    pub gone: Vec<ServiceId>,
}

impl Rows {
    /// Reads everything up to and with the second `complete` and gives what changed.
    pub async fn refresh(
        &mut self,
        windows: &dyn WindowStore,
        statuses: &StatusBoard,
        complete: Second,
        at: UnixNanos,
    ) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        let mut services = windows.services().await?;
        // Hosts first: a service's saturation is that of its hosts.
        services.sort_by_key(|service| service.host().is_none());
        for service in &services {
            let is_new = !self.rows.contains_key(service);
            let reach = if is_new { HISTORY_S as i64 } else { REVISED_S };
            let from = complete.offset(1 - reach);
            let cells = windows.read(service, Tier::OneSecond, from, complete.offset(1)).await?;
            let change = self.update(service, &cells, statuses, from, complete, at);
            if is_new {
                changes.new.push(service.clone());
            } else {
                changes.changed.extend(change);
            }
        }
        let known: std::collections::HashSet<&ServiceId> = services.iter().collect();
        self.rows.retain(|service, _| {
            let stays = known.contains(service);
            if !stays {
                changes.gone.push(service.clone());
            }
            stays
        });
        Ok(changes)
    }

    /// The ids in the order in which they are shown.
    #[must_use]
    pub fn order(&self) -> Vec<&ServiceId> {
        let mut order: Vec<_> = self.rows.iter().collect();
        order.sort_by_key(|(service, row)| (row.standing.state, service.host().is_some(), *service));
        order.into_iter().map(|(service, _)| service).collect()
    }

    /// A service whole, with its history up to `complete` if asked for.
    #[must_use]
    pub fn whole(&self, id: &ServiceId, complete: Second, at: UnixNanos, history: bool) -> Option<Service> {
        let row = self.rows.get(id)?;
        let (project, environment, service) = id.parts();
        Some(Service {
            id: id.clone(),
            project: project.to_owned(),
            environment: environment.to_owned(),
            service: service.to_owned(),
            kind: if id.host().is_some() { Kind::Host } else { Kind::Service },
            standing: row.standing.clone(),
            now: row.now,
            data_age_ms: age(row.now, at),
            hosts: row.hosts.clone(),
            hosts_total: row.hosts_total,
            history: history.then(|| row.ring.columns(complete)),
        })
    }

    /// Age of the newest data of any service.
    #[must_use]
    pub fn data_age_ms(&self, at: UnixNanos) -> Option<f64> {
        self.rows.values().filter_map(|row| age(row.now, at)).min_by(f64::total_cmp)
    }

    fn update(
        &mut self,
        service: &ServiceId,
        cells: &[StoredCell],
        statuses: &StatusBoard,
        from: Second,
        complete: Second,
        at: UnixNanos,
    ) -> Option<ServiceChange> {
        let statuses = statuses.of(service);
        let read = read(service, cells, complete);
        let hosts = match service.host() {
            Some(host) => vec![itself(host, &read)],
            None => self.hosts(service, &read),
        };
        // A second without a cell is a second without requests where later ones have come, or where
        // the evaluator has judged it; otherwise nothing is known of it.
        let judged = statuses.iter().map(|status| status.watermark).max();
        let flows_until =
            read.seconds.keys().next_back().copied().max(judged).map(|second| second.min(complete));
        let first =
            self.rows.get(service).and_then(|row| row.ring.newest_known()).map(|point| Second(point.s));
        let flows_from =
            read.seconds.keys().next().copied().min(first.or(Some(complete))).unwrap_or(complete);
        let mut points = Vec::new();
        let mut compared = Vec::new();
        for second in (from.0..=complete.0).map(Second) {
            let fullness = self.fullness(service, second, &hosts, &read);
            let seen = read.seconds.get(&second);
            let flows = service.host().is_none()
                && second >= flows_from
                && flows_until.is_some_and(|until| second <= until);
            let mut written = match seen {
                Some(total) if service.host().is_none() => point(second, total, fullness),
                _ => Point { s: second.0, saturation: fullness.map(round), ..Point::default() },
            };
            if seen.is_none() && flows {
                written.traffic = Some(0.0);
            }
            compared.push(readings(&written, seen));
            points.push(written);
        }
        let row = self.rows.entry(service.clone()).or_insert_with(|| Row {
            ring: Ring::default(),
            standing: standing(&[]),
            now: None,
            hosts: Vec::new(),
            hosts_total: 0,
            fullness: BTreeMap::new(),
            usuals: Usuals::new(service),
        });
        row.fullness = read.fullness;
        for (point, readings) in points.iter_mut().zip(&compared) {
            point.strays = row.usuals.strays(readings);
            // What is read for the last time changes no more.
            if point.s <= complete.0 - REVISED_S + 1 {
                row.usuals.learn(Second(point.s), readings);
            }
        }
        points.retain(|point| {
            let says_something = point.traffic.is_some() || point.saturation.is_some();
            (says_something || row.ring.at(Second(point.s)).is_some()) && row.ring.write(*point)
        });
        let (now, standing) = (row.ring.newest_known().copied(), standing(&statuses));
        let total = hosts.len();
        let shown: Vec<Host> = hosts.into_iter().take(HOSTS_MAX).collect();
        let change = ServiceChange {
            id: service.clone(),
            standing: (standing != row.standing).then(|| standing.clone()),
            now: (now != row.now).then_some(now),
            data_age_ms: age(now, at),
            hosts: (shown != row.hosts).then(|| shown.clone()),
            hosts_total: (total != row.hosts_total).then_some(total),
            points,
        };
        (row.standing, row.now, row.hosts, row.hosts_total) = (standing, now, shown, total);
        let is_empty = change.standing.is_none()
            && change.now.is_none()
            && change.hosts.is_none()
            && change.hosts_total.is_none()
            && change.points.is_empty();
        (!is_empty || now.is_some()).then_some(change)
    }

    /// How full the service was in one second: its own reading for a host; for a service the fullest of
    /// its own readings on all hosts, and where there is none the fullest of its hosts.
    fn fullness(&self, service: &ServiceId, second: Second, hosts: &[Host], read: &Read) -> Option<f64> {
        if service.host().is_some() {
            return read.fullness.get(&second).map(|fullness| fullness.value);
        }
        if let Some(own) = read.own.get(&second) {
            return own.values().map(|fullness| fullness.value).max_by(f64::total_cmp);
        }
        let of_host = |host: &Host| {
            let row = self.host_row(service, &host.host)?;
            row.ring.at(second)?.saturation
        };
        hosts.iter().filter_map(of_host).max_by(f64::total_cmp)
    }

    fn host_row(&self, service: &ServiceId, host: &str) -> Option<&Row> {
        self.rows.get(&ServiceId::of_host(service.project(), service.environment(), host).ok()?)
    }

    /// The hosts of a service, worst error ratio first, then the slowest.
    fn hosts(&self, service: &ServiceId, read: &Read) -> Vec<Host> {
        let own = read.own.values().next_back();
        let mut hosts: Vec<Host> = read
            .hosts
            .iter()
            .map(|(host, sum)| {
                let of_host = || self.host_row(service, host)?.fullness.values().next_back().copied();
                let fullness = own.and_then(|own| own.get(host).copied()).or_else(of_host);
                Host {
                    host: host.clone(),
                    traffic: round(sum.counts.total() as f64 / HOSTS_S as f64),
                    errors: error_ratio(sum),
                    p95_ms: sum.latency.quantile(0.95).map(|seconds| round(seconds * 1000.0)),
                    saturation: fullness.map(|fullness| round(fullness.value)),
                    saturation_of: fullness.map(|fullness| fullness.of),
                }
            })
            .collect();
        let worse = |value: Option<f64>| value.unwrap_or(0.0);
        hosts.sort_by(|a, b| {
            worse(b.errors)
                .total_cmp(&worse(a.errors))
                .then(worse(b.p95_ms).total_cmp(&worse(a.p95_ms)))
                .then(a.host.cmp(&b.host))
        });
        hosts
    }
}

/// What the cells of one service say.
#[derive(Debug, Default)]
struct Read {
    seconds: BTreeMap<Second, Aggregate>,
    hosts: BTreeMap<Arc<str>, Aggregate>,
    fullness: BTreeMap<Second, Fullness>,
    /// A service's own readings by second and host.
    own: BTreeMap<Second, BTreeMap<Arc<str>, Fullness>>,
}

/// Sums cells by second and by host. A cell that cannot be understood is left out of the page (the
/// evaluator, which reads the same cells, reports it) and counted.
fn read(service: &ServiceId, cells: &[StoredCell], complete: Second) -> Read {
    let mut read = Read::default();
    for cell in cells {
        if let Err(error) = add(&mut read, service, cell, complete) {
            metrics::counter!("goldentime_push_cells_corrupt_total").increment(1);
            tracing::warn!(%service, second = cell.key.start.0, %error, "a window cell is not shown");
        }
    }
    read
}

fn add(
    read: &mut Read,
    service: &ServiceId,
    cell: &StoredCell,
    complete: Second,
) -> Result<(), goldentime_windows::CellError> {
    let view = CellView::new(&cell.blob)?;
    view.merge_total(read.seconds.entry(cell.key.start).or_default())?;
    if cell.key.start > complete.offset(-HOSTS_S) {
        for entry in view.hosts() {
            let (host, aggregate) = entry?;
            aggregate.merge_into(read.hosts.entry(host.into()).or_default())?;
        }
    }
    if service.host().is_some() {
        let gauges = view.gauges().map(|entry| entry.map(|(key, value)| (Arc::from(key), value)));
        let gauges: BTreeMap<Arc<str>, f64> = gauges.collect::<Result<_, _>>()?;
        if let Some(fullness) = fullest(&gauges) {
            read.fullness.insert(cell.key.start, fullness);
        }
        return Ok(());
    }
    let mut own = BTreeMap::new();
    for entry in view.gauges() {
        let (key, value) = entry?;
        keep_own(&mut own, key, value);
    }
    if !own.is_empty() {
        read.own.insert(cell.key.start, own);
    }
    Ok(())
}

/// A host in its own row, where it has no requests.
fn itself(host: &str, read: &Read) -> Host {
    let fullness = read.fullness.values().next_back();
    Host {
        host: host.into(),
        traffic: 0.0,
        errors: None,
        p95_ms: None,
        saturation: fullness.map(|fullness| round(fullness.value)),
        saturation_of: fullness.map(|fullness| fullness.of),
    }
}

fn age(now: Option<Point>, at: UnixNanos) -> Option<f64> {
    now.map(|now| (millis(at) - millis(Second(now.s).end())).max(0.0).round())
}
