//! Where partitions stand: a document each, moved by compare-and-set.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use goldentime_follower::{Advance, Mark, Position, StoreError, StreamPosition};
use goldentime_model::UnixNanos;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::ElasticLogs;
use super::client::Body;
use super::layout;

/// Layout of the document.
const LAYOUT: i64 = 1;
/// Most streams of a partition that are kept: the newest by log time.
pub(super) const STREAMS_MAX: usize = 100_000;
/// Bytes of one stream: id, number, log time.
const STREAM_BYTES: usize = 16 + 8 + 8;

/// A partition's position as it was read or written last.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// None where the partition was never read.
    pub(super) mark: Option<Mark>,
    pub(super) log_time: UnixNanos,
    streams: HashMap<[u8; 16], (u64, UnixNanos)>,
    /// Lines of the partition so far: the next one's place is one more.
    pub(super) lines: u64,
    /// What the server must still hold for the next step to be taken.
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Seen {
    #[serde(rename = "_seq_no")]
    sequence: u64,
    #[serde(rename = "_primary_term")]
    term: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    layout: i64,
    generation: u32,
    offset: u64,
    log_time_ns: i64,
    lines: u64,
    /// Ids, then numbers, then log times; zstd, base64.
    streams: String,
}

#[derive(Deserialize)]
struct Got {
    #[serde(flatten)]
    seen: Seen,
    #[serde(rename = "_source")]
    source: serde_json::Value,
}

impl Held {
    /// The position; none where the partition was never read.
    pub(super) fn position(&self) -> Option<Position> {
        let streams = self.streams.iter();
        let streams =
            streams.map(|(stream, &(number, log_time))| StreamPosition { stream: *stream, number, log_time });
        Some(Position { mark: self.mark?, log_time: self.log_time, streams: streams.collect() })
    }

    fn advanced(&self, advance: &Advance, lines: u64) -> Self {
        let mut next = self.clone();
        next.mark = Some(advance.to);
        next.log_time = advance.log_time;
        next.lines += lines;
        for StreamPosition { stream, number, log_time } in &advance.streams {
            next.streams.insert(*stream, (*number, *log_time));
        }
        if let Some(before) = advance.forget_before {
            next.streams.retain(|_, (_, log_time)| *log_time >= before);
        }
        if next.streams.len() > STREAMS_MAX {
            let mut times: Vec<_> = next.streams.values().map(|(_, log_time)| *log_time).collect();
            let (_, cut, _) = times.select_nth_unstable_by(STREAMS_MAX, |a, b| b.cmp(a));
            let cut = *cut;
            next.streams.retain(|_, (_, log_time)| *log_time > cut);
        }
        next
    }

    fn stored(&self, mark: Mark) -> std::io::Result<Stored> {
        Ok(Stored {
            layout: LAYOUT,
            generation: mark.generation,
            offset: mark.offset,
            log_time_ns: self.log_time.0,
            lines: self.lines,
            streams: STANDARD.encode(zstd::bulk::compress(&self.pack(), 1)?),
        })
    }

    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.streams.len() * STREAM_BYTES);
        bytes.extend(self.streams.keys().flatten());
        bytes.extend(self.streams.values().flat_map(|(number, _)| number.to_le_bytes()));
        bytes.extend(self.streams.values().flat_map(|(_, log_time)| log_time.0.to_le_bytes()));
        bytes
    }
}

fn unpack(packed: &str) -> Option<HashMap<[u8; 16], (u64, UnixNanos)>> {
    // Nothing at all is no frame of zstd, which the library takes for an empty one.
    let bytes = STANDARD.decode(packed).ok().filter(|bytes| !bytes.is_empty())?;
    let bytes = zstd::bulk::decompress(&bytes, STREAMS_MAX * STREAM_BYTES).ok()?;
    let count = bytes.len() / STREAM_BYTES;
    if bytes.len() % STREAM_BYTES != 0 {
        return None;
    }
    let (streams, rest) = bytes.split_at(count * 16);
    let (numbers, times) = rest.split_at(count * 8);
    let streams = streams.chunks_exact(16).filter_map(|id| <[u8; 16]>::try_from(id).ok());
    let numbers = numbers.chunks_exact(8).filter_map(|it| Some(u64::from_le_bytes(it.try_into().ok()?)));
    let times = times.chunks_exact(8).filter_map(|it| Some(i64::from_le_bytes(it.try_into().ok()?)));
    Some(streams.zip(numbers.zip(times.map(UnixNanos))).collect())
}

impl ElasticLogs {
    /// Reads where a partition stands.
    pub(super) async fn load(&self, partition: u32) -> Result<Held, StoreError> {
        const ACTION: &str = "read a position";
        let failed = |failure: super::error::Failure| failure.of(&self.place, ACTION);
        let path = format!("/{}/_doc/{partition}", self.names.positions);
        let answer = self.http.ask(Method::GET, &path, None).await.map_err(failed)?;
        if answer.status == 404 {
            if answer.told().kind == "index_not_found_exception" {
                // Whoever deleted it may have deleted more.
                self.forget_all();
                layout::make_positions(&self.http, &self.config, &self.names).await.map_err(failed)?;
            }
            let lines = self.last_place(partition).await?;
            return Ok(Held { lines, ..Held::default() });
        }
        let Got { seen, source } = answer.read().map_err(failed)?;
        let place = || format!("{}{path}", self.place);
        let damaged = |what: &str| StoreError::Corrupt { place: place(), what: what.to_owned() };
        match source["layout"].as_i64() {
            Some(LAYOUT) => {}
            Some(found) => return Err(StoreError::Newer { place: place(), found, known: LAYOUT }),
            None => return Err(damaged("it has no layout")),
        }
        let stored = Stored::deserialize(&source).map_err(|error| damaged(&error.to_string()))?;
        Ok(Held {
            mark: Some(Mark { generation: stored.generation, offset: stored.offset }),
            log_time: UnixNanos(stored.log_time_ns),
            streams: unpack(&stored.streams).ok_or_else(|| damaged("its streams cannot be read"))?,
            lines: stored.lines,
            seen: Some(seen),
        })
    }

    /// Whether the server still holds what was read or written last.
    pub(super) async fn is_current(&self, held: &Held, partition: u32) -> Result<bool, StoreError> {
        let failed = |failure: super::error::Failure| failure.of(&self.place, "read a position");
        let path = format!("/{}/_doc/{partition}?_source=false", self.names.positions);
        let answer = self.http.ask(Method::GET, &path, None).await.map_err(failed)?;
        let seen = match answer.status {
            404 => None,
            _ => Some(answer.read::<Seen>().map_err(failed)?),
        };
        Ok(seen == held.seen)
    }

    /// Takes a step, unless somebody else has taken one: then none.
    pub(super) async fn store_position(
        &self,
        held: &Held,
        advance: &Advance,
        lines: u64,
    ) -> Result<Option<Held>, StoreError> {
        const ACTION: &str = "store a position";
        let failed = |failure: super::error::Failure| failure.of(&self.place, ACTION);
        let mut next = held.advanced(advance, lines);
        let stored = next.stored(advance.to).map_err(|error| StoreError::Unavailable {
            place: self.place.clone(),
            action: ACTION,
            source: Box::new(error),
        })?;
        let condition = match held.seen {
            Some(Seen { sequence, term }) => format!("if_seq_no={sequence}&if_primary_term={term}"),
            None => "op_type=create".to_owned(),
        };
        let path = format!("/{}/_doc/{}?{condition}", self.names.positions, advance.partition);
        let body = serde_json::to_value(&stored).unwrap_or_default();
        let answer = self.http.ask(Method::PUT, &path, Some(Body::Json(&body))).await.map_err(failed)?;
        let is_gone = answer.status == 404 && answer.told().kind == "index_not_found_exception";
        if answer.status == 409 || is_gone {
            return Ok(None);
        }
        next.seen = Some(answer.read().map_err(failed)?);
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_read_back_and_anything_else_is_refused() {
        let streams: Vec<_> = (0..300_u64)
            .map(|n| StreamPosition {
                stream: u128::from(n * 7919).to_le_bytes(),
                number: u64::MAX - n,
                log_time: UnixNanos(i64::MIN + n as i64),
            })
            .collect();
        let advance = Advance { to: Mark { generation: 1, offset: 9 }, streams, ..Advance::default() };
        let held = Held::default().advanced(&advance, 5);
        let stored = held.stored(advance.to).expect("compressed");
        assert_eq!(unpack(&stored.streams), Some(held.streams.clone()));
        for other in ["", "####", "AAAA", &STANDARD.encode(zstd::bulk::compress(b"abc", 1).expect("small"))] {
            assert_eq!(unpack(other), None, "{other}");
        }
    }

    #[test]
    fn streams_leave_by_log_time_and_the_newest_stay() {
        let many = (0..STREAMS_MAX as i64 + 10).map(|n| StreamPosition {
            stream: (n as u128).to_le_bytes(),
            number: 1,
            log_time: UnixNanos(n),
        });
        let advance = Advance { streams: many.collect(), ..Advance::default() };
        let held = Held::default().advanced(&advance, 0);
        assert_eq!(held.streams.len(), STREAMS_MAX);
        assert!(held.streams.values().all(|(_, log_time)| log_time.0 >= 10));
        let later = Advance { forget_before: Some(UnixNanos(1000)), ..Advance::default() };
        assert!(held.advanced(&later, 0).streams.values().all(|(_, log_time)| log_time.0 >= 1000));
    }
}
