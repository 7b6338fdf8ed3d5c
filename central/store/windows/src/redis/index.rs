//! Which services there are and how far each partition has come: what a reader cannot tell from the
//! names of the keys that it does not know.

use std::collections::HashMap;

use ::redis::{Cmd, Value, cmd};
use goldentime_model::{Second, ServiceId};

use super::failure::Failure;
use super::keys::{INDEX_TTL_S, SERVICES, WATERMARKS};
use super::nodes::Nodes;
use crate::store::{CellKey, Tier};
use crate::watermark::Horizon;

/// A service's part of a partition whose cells have not been in use for this long by event time leaves
/// the index: no partition lags that far.
const FORGET_AFTER_S: i64 = 24 * 3600;

/// What a put adds to the index: event seconds, which only rise.
#[derive(Default)]
pub(super) struct Additions {
    services: HashMap<(u32, ServiceId), i64>,
    watermarks: HashMap<u32, i64>,
}

/// The last event second at which a cell is kept.
pub(super) const fn kept_until(key: &CellKey) -> i64 {
    key.start.0.saturating_add(key.tier.width_s() - 1 + key.tier.retention_s())
}

impl Additions {
    pub(super) fn add_service(&mut self, partition: u32, service: &ServiceId, kept_until: i64) {
        let place = self.services.entry((partition, service.clone())).or_insert(kept_until);
        *place = (*place).max(kept_until);
    }

    pub(super) fn add_watermark(&mut self, partition: u32, second: Second) {
        let place = self.watermarks.entry(partition).or_insert(second.0);
        *place = (*place).max(second.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty() && self.watermarks.is_empty()
    }

    pub(super) fn services(&self) -> impl Iterator<Item = (&ServiceId, u32, i64)> {
        self.services.iter().map(|((partition, service), until)| (service, *partition, *until))
    }

    pub(super) fn watermarks(&self) -> impl Iterator<Item = (u32, i64)> {
        self.watermarks.iter().map(|(partition, second)| (*partition, *second))
    }

    /// Writes it.
    pub(super) async fn write(&self, nodes: &Nodes) -> Result<(), Failure> {
        let mut commands = Vec::new();
        if !self.services.is_empty() {
            let mut add = zadd(SERVICES);
            for ((partition, service), until) in &self.services {
                add.arg(*until).arg(member(*partition, service));
            }
            commands.extend([(SERVICES, add), (SERVICES, expire(SERVICES))]);
        }
        if let Some(slowest) = self.watermarks.values().min() {
            let mut add = zadd(WATERMARKS);
            for (partition, second) in &self.watermarks {
                add.arg(*second).arg(*partition);
            }
            let mut forget = cmd("ZREMRANGEBYSCORE");
            forget.arg(SERVICES).arg("-inf").arg(slowest.saturating_sub(FORGET_AFTER_S));
            commands.extend([(WATERMARKS, add), (WATERMARKS, expire(WATERMARKS)), (SERVICES, forget)]);
        }
        let keys: Vec<&str> = commands.iter().map(|(key, _)| *key).collect();
        let answers = nodes.ask(commands).await?;
        let foreign = |(key, answer): (&str, Value)| {
            matches!(answer, Value::ServerError(_)).then(|| Failure::Foreign(key.to_owned()))
        };
        keys.into_iter().zip(answers).find_map(foreign).map_or(Ok(()), Err)
    }
}

/// How far each partition has come by the index, or by what this process has put, where that is newer.
pub(super) async fn watermarks(nodes: &Nodes, own: &Horizon) -> Result<HashMap<u32, Second>, Failure> {
    let answers = nodes.ask(vec![(WATERMARKS, zrange(WATERMARKS))]).await?;
    watermarks_of(answers.into_iter().next().unwrap_or_default(), own)
}

/// Services with a cell that is kept.
pub(super) async fn services(nodes: &Nodes, own: &Horizon) -> Result<Vec<ServiceId>, Failure> {
    let answers = nodes.ask(vec![(SERVICES, zrange(SERVICES)), (WATERMARKS, zrange(WATERMARKS))]).await?;
    let mut answers = answers.into_iter();
    let (services, marks) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
    let marks = watermarks_of(marks, own)?;
    let mut kept: Vec<ServiceId> = pairs(services, SERVICES)?
        .into_iter()
        .filter_map(|(member, until)| {
            let (partition, service) = member.split_once(' ')?;
            let newest = marks.get(&partition.parse().ok()?)?;
            (until >= newest.0).then(|| service.parse().ok())?
        })
        .collect();
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

fn watermarks_of(answer: Value, own: &Horizon) -> Result<HashMap<u32, Second>, Failure> {
    let stored = pairs(answer, WATERMARKS)?;
    let mut marks: HashMap<u32, Second> = stored
        .into_iter()
        .filter_map(|(partition, second)| Some((partition.parse().ok()?, Second(second))))
        .collect();
    for (partition, second) in own.iter() {
        let mark = marks.entry(partition).or_insert(second);
        *mark = (*mark).max(second);
    }
    Ok(marks)
}

/// Members and scores, as the server gives them: one after the other, numbers as text.
fn pairs(answer: Value, key: &str) -> Result<Vec<(String, i64)>, Failure> {
    let foreign = || Failure::Foreign(key.to_owned());
    let Value::Array(items) = answer else { return Err(foreign()) };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let (pairs, _) = items.as_chunks::<2>();
    let read = |[member, score]: &[Value; 2]| Some((text(member)?, text(score)?.parse::<f64>().ok()? as i64));
    pairs.iter().map(|pair| read(pair).ok_or_else(foreign)).collect()
}

fn member(partition: u32, service: &ServiceId) -> String {
    format!("{partition} {service}")
}

fn zadd(key: &str) -> Cmd {
    let mut command = cmd("ZADD");
    command.arg(key).arg("GT");
    command
}

fn zrange(key: &str) -> Cmd {
    let mut command = cmd("ZRANGE");
    command.arg(key).arg(0).arg(-1).arg("WITHSCORES");
    command
}

fn expire(key: &str) -> Cmd {
    let mut command = cmd("EXPIRE");
    command.arg(key).arg(INDEX_TTL_S);
    command
}

/// Starts of the buckets in `from..until` that any partition may hold.
pub(super) fn buckets(tier: Tier, from: Second, until: Second, marks: &HashMap<u32, Second>) -> Vec<i64> {
    let mut starts = std::collections::BTreeSet::new();
    for mark in marks.values() {
        let (first, last) = (tier.first_kept(*mark).max(from), mark.0.min(until.0.saturating_sub(1)));
        starts.extend(starts_between(tier, first, last));
    }
    starts.into_iter().collect()
}

/// Starts of the buckets that begin in `first..=last`.
pub(super) fn starts_between(tier: Tier, first: Second, last: i64) -> impl Iterator<Item = i64> {
    let width = tier.width_s();
    let begin = first.0.saturating_add((width - first.0.rem_euclid(width)) % width);
    (0..).map(move |step| begin.saturating_add(step * width)).take_while(move |start| *start <= last)
}
