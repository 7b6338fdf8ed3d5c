//! One line of a datagram: `name:value|type|@rate|#tags|c:container|e:external|T1700000000|card:low`.
//!
//! Plain StatsD, and DogStatsD up to version 1.6 of its protocol
//! (<https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/>): packed values (1.1), the
//! container's id (1.2), timestamps (1.3), its inode (1.4), external data (1.5) and cardinality
//! (1.6). Fields of later versions are passed over, as the original does.

use memchr::memchr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::malformed::Malformed;
use super::number::{signed, whole};

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `c`: an increase.
    Counter,
    /// `g`: a reading.
    Gauge,
    /// `ms`: a duration.
    Timer,
    /// `h`: a value of which the spread is wanted.
    Histogram,
    /// `d`: the same.
    Distribution,
    /// `s`: a member of a set whose size is wanted.
    Set,
}

impl Kind {
    /// All types, each at the place of its number.
    pub const ALL: [Self; 6] =
        [Self::Counter, Self::Gauge, Self::Timer, Self::Histogram, Self::Distribution, Self::Set];

    /// Name in configuration and `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timer => "timer",
            Self::Histogram => "histogram",
            Self::Distribution => "distribution",
            Self::Set => "set",
        }
    }

    /// Whether its values are durations or other values with a spread.
    #[must_use]
    pub const fn has_spread(self) -> bool {
        matches!(self, Self::Timer | Self::Histogram | Self::Distribution)
    }
}

/// What a line says. Everything but the numbers is as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Name; not empty.
    pub name: &'a [u8],
    /// Values with colons between; not empty. See [`Metric::values`].
    pub packed: &'a [u8],
    /// Type.
    pub kind: Kind,
    /// Share of what happened that was sent, above 0 and at most 1.
    pub rate: f64,
    /// Tags with commas between; empty without.
    pub tags: &'a [u8],
    /// The sender's container as it says itself; empty without.
    pub container: &'a [u8],
    /// When it happened, in seconds since the Unix epoch.
    pub at_s: Option<i64>,
}

/// Smallest sample rate: one line stands for a million at most.
const RATE_MIN: f64 = 1e-6;

impl<'a> Metric<'a> {
    /// The same, from the container `origin` where it names none itself.
    #[inline]
    #[must_use]
    pub fn sent_by(mut self, origin: &'a [u8]) -> Self {
        if self.container.is_empty() {
            self.container = origin;
        }
        self
    }

    /// Its values one by one. A set's member may hold colons, so that it has one.
    pub fn values(&self) -> Values<'a> {
        Values { rest: Some(self.packed), is_packed: self.kind != Kind::Set }
    }
}

/// The values of a metric.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: Option<&'a [u8]>,
    is_packed: bool,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        match memchr(b':', rest) {
            Some(colon) if self.is_packed => {
                self.rest = Some(&rest[colon + 1..]);
                Some(&rest[..colon])
            }
            _ => Some(rest),
        }
    }
}

/// Reads a line that is neither event nor service check. Never allocates.
#[inline]
pub fn parse(line: &[u8]) -> Result<Metric<'_>, Malformed> {
    let colon = memchr(b':', line).ok_or(Malformed::Form)?;
    let (name, rest) = (&line[..colon], &line[colon + 1..]);
    let bar = memchr(b'|', rest).ok_or(Malformed::Form)?;
    if name.is_empty() {
        return Err(Malformed::Name);
    }
    let packed = &rest[..bar];
    if packed.is_empty() {
        return Err(Malformed::Value);
    }
    let (kind, mut rest) = field(&rest[bar + 1..]);
    let kind = match kind {
        b"c" => Kind::Counter,
        b"g" => Kind::Gauge,
        b"ms" => Kind::Timer,
        b"h" => Kind::Histogram,
        b"d" => Kind::Distribution,
        b"s" => Kind::Set,
        _ => return Err(Malformed::Kind),
    };
    let mut metric = Metric { name, packed, kind, rate: 1.0, tags: &[], container: &[], at_s: None };
    while let Some(open) = rest {
        let (said, next) = field(open);
        match said {
            [b'@', rate @ ..] => metric.rate = read_rate(rate)?,
            [b'#', tags @ ..] => metric.tags = tags,
            [b'c', b':', container @ ..] => metric.container = container,
            [b'T', seconds @ ..] => metric.at_s = Some(whole(seconds).ok_or(Malformed::Timestamp)?),
            // External data and cardinality, for which the agent has no use, and later fields.
            _ => {}
        }
        rest = next;
    }
    Ok(metric)
}

/// The bytes up to the next bar, and what is behind it.
#[inline]
fn field(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'|', text) {
        Some(bar) => (&text[..bar], Some(&text[bar + 1..])),
        None => (text, None),
    }
}

fn read_rate(text: &[u8]) -> Result<f64, Malformed> {
    let rate = signed(text).ok_or(Malformed::Rate)?;
    if (RATE_MIN..=1.0).contains(&rate) { Ok(rate) } else { Err(Malformed::Rate) }
}
