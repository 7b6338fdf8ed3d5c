//! A cell that is read where it lies: what is not asked for is passed over, not decoded.

use goldentime_model::Counts;
use goldentime_sketch::encode::varint;
use goldentime_sketch::skip_state;

use crate::cell::{Aggregate, CellError, EndpointKey};
use crate::encode::{FLAG_JUDGED, FLAG_PARTIAL, VERSION, VERSION_WITHOUT_JUDGED};

/// An encoded cell whose outline was checked.
#[derive(Clone, Copy, Debug)]
pub struct CellView<'a> {
    bytes: &'a [u8],
    total: usize,
    hosts: Section,
    endpoints: Section,
    gauges: Section,
    /// Where the cell lies that the rules saw, if it is another.
    judged: Option<(usize, usize)>,
}

/// An encoded aggregate.
#[derive(Clone, Copy, Debug)]
pub struct AggregateView<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Endpoint and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointName<'a> {
    /// Normalised route.
    pub endpoint: &'a str,
    /// HTTP verb or RPC method.
    pub method: &'a str,
}

impl EndpointName<'_> {
    /// The same with its own memory.
    #[must_use]
    pub fn to_key(self) -> EndpointKey {
        EndpointKey { endpoint: self.endpoint.into(), method: self.method.into() }
    }
}

/// Where the entries of a section begin and end, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Section {
    at: usize,
    end: usize,
    entries: u64,
}

impl<'a> CellView<'a> {
    /// Checks the outline: version, lengths, nothing behind the end. Does not look into sections.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CellError> {
        let flags = match *bytes {
            [VERSION, flags, ..] if flags & !(FLAG_PARTIAL | FLAG_JUDGED) == 0 => flags,
            [VERSION_WITHOUT_JUDGED, flags, ..] if flags & !FLAG_PARTIAL == 0 => flags,
            [VERSION | VERSION_WITHOUT_JUDGED, ..] | [] => {
                return Err(CellError::Corrupt(bytes.len().min(1)));
            }
            [version, ..] => return Err(CellError::Version(version)),
        };
        let total = 2;
        let mut at = total;
        skip_aggregate(bytes, &mut at)?;
        let hosts = take_section(bytes, &mut at)?;
        let endpoints = take_section(bytes, &mut at)?;
        let gauges = take_section(bytes, &mut at)?;
        let mut judged = None;
        if flags & FLAG_JUDGED != 0 {
            let length = take_number(bytes, &mut at)?;
            let began = at;
            take_bytes(bytes, &mut at, length)?;
            judged = Some((began, at));
        }
        if at == bytes.len() {
            Ok(Self { bytes, total, hosts, endpoints, gauges, judged })
        } else {
            Err(CellError::Corrupt(at))
        }
    }

    /// Whether the cell began without its base: its counts are a lower bound.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.bytes[1] & FLAG_PARTIAL != 0
    }

    /// What the rules saw of the cell, where that is not all of it. Has no such part itself.
    #[must_use]
    pub fn judged(&self) -> Option<Result<Self, CellError>> {
        let (began, end) = self.judged?;
        let view = Self::new(&self.bytes[began..end]);
        Some(
            view.and_then(
                |view| if view.judged.is_none() { Ok(view) } else { Err(CellError::Corrupt(began)) },
            ),
        )
    }

    /// Adds the service as a whole to `sum`. After an error `sum` is as it was.
    pub fn merge_total(&self, sum: &mut Aggregate) -> Result<(), CellError> {
        AggregateView { bytes: self.bytes, at: self.total }.merge_into(sum)
    }

    /// Each host's share. Ends after the first error.
    pub fn hosts(&self) -> impl Iterator<Item = Result<(&'a str, AggregateView<'a>), CellError>> {
        Entries::new(self.bytes, self.hosts, |bytes, at| {
            Ok((take_name(bytes, at)?, take_aggregate(bytes, at)?))
        })
    }

    /// Each endpoint's share. Ends after the first error.
    pub fn endpoints(
        &self,
    ) -> impl Iterator<Item = Result<(EndpointName<'a>, AggregateView<'a>), CellError>> {
        Entries::new(self.bytes, self.endpoints, |bytes, at| {
            let name = EndpointName { endpoint: take_name(bytes, at)?, method: take_name(bytes, at)? };
            Ok((name, take_aggregate(bytes, at)?))
        })
    }

    /// Readings by key. Ends after the first error.
    pub fn gauges(&self) -> impl Iterator<Item = Result<(&'a str, f64), CellError>> {
        Entries::new(self.bytes, self.gauges, |bytes, at| {
            let key = take_name(bytes, at)?;
            let value: [u8; 8] = take_bytes(bytes, at, 8)?.try_into().map_err(|_| CellError::Corrupt(*at))?;
            Ok((key, f64::from_le_bytes(value)))
        })
    }
}

impl AggregateView<'_> {
    /// Adds it to `sum`. After an error `sum` is as it was.
    pub fn merge_into(&self, sum: &mut Aggregate) -> Result<(), CellError> {
        let mut at = self.at;
        let counts = Counts {
            ok: take_number(self.bytes, &mut at)?,
            client_error: take_number(self.bytes, &mut at)?,
            server_error: take_number(self.bytes, &mut at)?,
            timeout: take_number(self.bytes, &mut at)?,
        };
        sum.latency.merge_state(&self.bytes[at..]).map_err(|_| CellError::Corrupt(at))?;
        sum.counts.add(&counts);
        Ok(())
    }
}

/// Reads one entry and moves behind it.
type TakeEntry<'a, K, V> = fn(&'a [u8], &mut usize) -> Result<(K, V), CellError>;

/// Entries of a section, one by one: as many as announced, in ascending order, up to its end.
struct Entries<'a, K, V> {
    bytes: &'a [u8],
    at: usize,
    left: u64,
    take: TakeEntry<'a, K, V>,
    last: Option<K>,
    failed: bool,
}

impl<'a, K, V> Entries<'a, K, V> {
    fn new(bytes: &'a [u8], section: Section, take: TakeEntry<'a, K, V>) -> Self {
        let (bytes, at, left) = (&bytes[..section.end], section.at, section.entries);
        Self { bytes, at, left, take, last: None, failed: false }
    }
}

impl<K: Copy + Ord, V> Iterator for Entries<'_, K, V> {
    type Item = Result<(K, V), CellError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || (self.left == 0 && self.at == self.bytes.len()) {
            return None;
        }
        let began = self.at;
        let entry = if self.left == 0 {
            Err(CellError::Corrupt(began))
        } else {
            (self.take)(self.bytes, &mut self.at)
        };
        let entry = entry.and_then(|(key, value)| {
            let ascends = self.last.replace(key).is_none_or(|last| last < key);
            if ascends { Ok((key, value)) } else { Err(CellError::Corrupt(began)) }
        });
        self.failed = entry.is_err();
        self.left = self.left.saturating_sub(1);
        Some(entry)
    }
}

fn take_section(bytes: &[u8], at: &mut usize) -> Result<Section, CellError> {
    let length = take_number(bytes, at)?;
    let began = *at;
    take_bytes(bytes, at, length)?;
    let end = *at;
    let mut entries_at = began;
    let entries = take_number(&bytes[..end], &mut entries_at)?;
    Ok(Section { at: entries_at, end, entries })
}

fn take_aggregate<'a>(bytes: &'a [u8], at: &mut usize) -> Result<AggregateView<'a>, CellError> {
    let view = AggregateView { bytes, at: *at };
    skip_aggregate(bytes, at)?;
    Ok(view)
}

fn skip_aggregate(bytes: &[u8], at: &mut usize) -> Result<(), CellError> {
    for _ in 0..4 {
        take_number(bytes, at)?;
    }
    *at += skip_state(&bytes[*at..]).map_err(|_| CellError::Corrupt(*at))?;
    Ok(())
}

fn take_name<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a str, CellError> {
    let length = take_number(bytes, at)?;
    let began = *at;
    std::str::from_utf8(take_bytes(bytes, at, length)?).map_err(|_| CellError::Corrupt(began))
}

fn take_bytes<'a>(bytes: &'a [u8], at: &mut usize, length: u64) -> Result<&'a [u8], CellError> {
    let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
    let taken = end.and_then(|end| bytes.get(*at..end)).ok_or(CellError::Corrupt(*at))?;
    *at += taken.len();
    Ok(taken)
}

fn take_number(bytes: &[u8], at: &mut usize) -> Result<u64, CellError> {
    varint::take(bytes, at).map_err(|_| CellError::Corrupt(*at))
}
