//! One step of the log, written.

use std::collections::hash_map::Entry;

use goldentime_follower::{Advance, Committed};
use goldentime_model::{Second, ServiceId};
use goldentime_postgres::{Database, Error};
use goldentime_windows::{Aggregate, SecondCell};
use hashbrown::HashSet;
use sqlx::postgres::PgConnection;

use super::names::{Names, Wanted};
use super::position::{self, Partition};
use super::room::{Room, day_of};
use super::rows::{Buckets, Value, add, write};
use crate::key::{Part, SeriesKey};
use crate::reading::Reading;
use crate::resolution::Resolution;
use crate::rows::Rows;
use crate::store::{Keep, count_drops};

/// Buckets of ten seconds of one kind, by series.
struct Points<'r, V> {
    series: Vec<Wanted>,
    index: std::collections::HashMap<SeriesKey, usize>,
    /// Which series, first second, and how many events are counted where there is no room for it.
    points: Vec<(usize, Second, &'r V, u64)>,
}

/// Commits `rows` with the step, if the partition still stands where it was made.
pub(super) async fn commit(
    database: &Database,
    names: &mut Names,
    room: &Room,
    keep: &Keep,
    rows: &Rows,
    advance: &Advance,
) -> Result<Committed, Error> {
    let mut on = database.write().await?;
    let Some(mut partition) = position::advance(&mut on, advance).await? else {
        on.rollback().await?;
        return Ok(Committed::Stale);
    };
    let before = partition.clone();
    let [_, _, longest] = keep.seconds;
    let mut sieve =
        Sieve { partition: &partition, horizon: advance.log_time.second().offset(-longest), too_old: 0 };
    let requests = requests(rows, &mut sieve);
    let samples = samples(rows, &mut sieve);
    let too_old = sieve.too_old;
    let mut days = requests.days(&partition);
    days.extend(samples.days(&partition));
    room.ensure(&mut on, &days).await?;
    let (mut written, mut refused) = (0, 0);
    for done in [
        requests.write(&mut on, names, &mut partition, keep).await?,
        samples.write(&mut on, names, &mut partition, keep).await?,
    ] {
        written += done.0;
        refused += done.1;
    }
    if partition != before {
        position::save(&mut on, &partition).await?;
    }
    on.commit().await?;
    room.made(days);
    count_drops(too_old, refused);
    Ok(Committed::Done { rows: written, dropped: too_old + refused })
}

/// Holds back what is older than anything that is kept.
struct Sieve<'p> {
    partition: &'p Partition,
    /// First second that is kept at all.
    horizon: Second,
    too_old: u64,
}

impl Sieve<'_> {
    fn passes(&mut self, start: Second, events: u64) -> bool {
        let kept = start >= self.horizon && self.partition.state.tiers_of(start).next().is_some();
        if !kept {
            self.too_old += events;
        }
        kept
    }
}

fn requests<'r>(rows: &'r Rows, sieve: &mut Sieve<'_>) -> Points<'r, Aggregate> {
    let mut points = Points::default();
    for (service, cells) in &rows.requests {
        for (start, cell) in cells {
            points.add_cell(service, *start, cell, sieve);
        }
    }
    points
}

fn samples<'r>(rows: &'r Rows, sieve: &mut Sieve<'_>) -> Points<'r, Reading> {
    let mut points = Points::default();
    for (service, metrics) in &rows.samples {
        for (key, buckets) in metrics {
            for (start, reading) in buckets {
                if sieve.passes(*start, reading.count) {
                    points.add(service, Part::Metric(key.clone()), *start, reading, reading.count);
                }
            }
        }
    }
    points
}

impl<V> Default for Points<'_, V> {
    fn default() -> Self {
        Self { series: Vec::new(), index: std::collections::HashMap::new(), points: Vec::new() }
    }
}

impl<'r> Points<'r, Aggregate> {
    fn add_cell(&mut self, service: &ServiceId, start: Second, cell: &'r SecondCell, sieve: &mut Sieve<'_>) {
        let events = cell.total.counts.total();
        if !sieve.passes(start, events) {
            return;
        }
        if !cell.total.is_empty() {
            self.add(service, Part::Whole, start, &cell.total, events);
        }
        // What is dropped is counted once, with the whole.
        for (host, aggregate) in &cell.hosts {
            self.add(service, Part::Host(host.clone()), start, aggregate, 0);
        }
        for (endpoint, aggregate) in &cell.endpoints {
            self.add(service, Part::Endpoint(endpoint.clone()), start, aggregate, 0);
        }
    }
}

impl<'r, V> Points<'r, V> {
    fn add(&mut self, service: &ServiceId, part: Part, start: Second, value: &'r V, events: u64) {
        let (key, day) = (SeriesKey { service: service.clone(), part }, day_of(start));
        let at = match self.index.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.series.push(Wanted { key: new.key().clone(), day });
                *new.insert(self.series.len() - 1)
            }
        };
        self.series[at].day = self.series[at].day.max(day);
        self.points.push((at, start, value, events));
    }

    /// The days of the rows that will be written, by width.
    fn days(&self, partition: &Partition) -> HashSet<(Resolution, i64)> {
        let starts = self.points.iter().map(|(_, start, ..)| *start);
        let rows = starts.flat_map(|start| partition.state.tiers_of(start).map(move |tier| (tier, start)));
        rows.map(|(tier, start)| (tier, day_of(tier.bucket_of(start)))).collect()
    }
}

impl<V: Value> Points<'_, V> {
    /// Adds every bucket to all rows that hold its time. Gives how many were written, and how many events
    /// there was no room for.
    async fn write(
        self,
        on: &mut PgConnection,
        names: &mut Names,
        partition: &mut Partition,
        keep: &Keep,
    ) -> Result<(u64, u64), Error> {
        let numbers = names.numbers(on, partition, &self.series, keep.series_max).await?;
        let mut tables: [Buckets<V>; 3] = Default::default();
        let mut refused = 0;
        for (at, start, value, events) in self.points {
            let Some(series) = numbers[at] else {
                refused += events.max(1);
                continue;
            };
            for tier in partition.state.tiers_of(start) {
                add(&mut tables[tier.index()], series, tier.bucket_of(start), value);
            }
        }
        let mut written = 0;
        for (tier, buckets) in Resolution::ALL.into_iter().zip(tables) {
            written += buckets.len() as u64;
            partition.note_oldest(tier, buckets.keys().map(|(_, start)| *start).min());
            write(on, tier, buckets).await?;
        }
        Ok((written, refused))
    }
}
