//! How a cell is written.
//!
//! | part | form | what |
//! |---|---|---|
//! | version | byte | 2; 1 is read too, and has neither bit 1 nor a judged part |
//! | flags | byte | bit 0: the cell is partial; bit 1: a judged part follows; the others are zero |
//! | total | aggregate | the service as a whole |
//! | hosts | section | entries of a name and an aggregate |
//! | endpoints | section | entries of endpoint, method and an aggregate |
//! | gauges | section | entries of a key and 8 bytes, a little-endian IEEE double |
//! | judged | length and bytes | with bit 1: a whole cell of this layout without a judged part |
//!
//! A *section* is the number of bytes that follow, the number of entries, and the entries in ascending
//! order of their names. An *aggregate* is the numbers of requests that ended ok, as client error,
//! as server error, by timeout, and the sketch of their durations in its state encoding. A *name* is
//! its length in bytes and UTF-8. Numbers are varints as in Protocol Buffers.
//!
//! The total stands first although the endpoints sum up to it, and sections and sketches tell their
//! length: most readers want the total alone and pass over the rest ([`crate::view`]).

use bytes::Bytes;
use goldentime_sketch::encode::varint;

use crate::cell::{Aggregate, CellError, SecondCell};
use crate::view::CellView;

/// Version of the layout that this build writes.
pub(crate) const VERSION: u8 = 2;

/// Layout before cells told what of them was judged.
pub(crate) const VERSION_WITHOUT_JUDGED: u8 = 1;

/// Flag of a cell that began without its base.
pub(crate) const FLAG_PARTIAL: u8 = 1;

/// Flag of a cell that is followed by what the rules saw of it.
pub(crate) const FLAG_JUDGED: u8 = 2;

impl SecondCell {
    /// The cell's bytes, without spare capacity.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        self.put(&mut out);
        if let Some(judged) = &self.judged {
            out[1] |= FLAG_JUDGED;
            let mut inner = Vec::new();
            judged.put(&mut inner);
            put_section(&mut out, &mut inner);
        }
        Bytes::from(out.into_boxed_slice())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend([VERSION, if self.partial { FLAG_PARTIAL } else { 0 }]);
        let mut section = Vec::new();
        put_aggregate(out, &self.total);

        varint::put(&mut section, self.hosts.len() as u64);
        for (host, aggregate) in &self.hosts {
            put_name(&mut section, host);
            put_aggregate(&mut section, aggregate);
        }
        put_section(out, &mut section);

        varint::put(&mut section, self.endpoints.len() as u64);
        for (key, aggregate) in &self.endpoints {
            put_name(&mut section, &key.endpoint);
            put_name(&mut section, &key.method);
            put_aggregate(&mut section, aggregate);
        }
        put_section(out, &mut section);

        varint::put(&mut section, self.gauges.len() as u64);
        for (key, value) in &self.gauges {
            put_name(&mut section, key);
            section.extend_from_slice(&value.to_le_bytes());
        }
        put_section(out, &mut section);
    }

    /// Reads what [`Self::encode`] wrote. Takes no more memory than a small multiple of the bytes, but
    /// for sketches of more than 48 buckets, which take up to 16 KiB each.
    pub fn decode(bytes: &[u8]) -> Result<Self, CellError> {
        let view = CellView::new(bytes)?;
        let mut cell = Self::from_view(&view)?;
        if let Some(judged) = view.judged() {
            cell.judged = Some(Box::new(Self::from_view(&judged?)?));
        }
        Ok(cell)
    }

    /// Reads only what the rules saw of a cell.
    pub fn decode_judged(bytes: &[u8]) -> Result<Self, CellError> {
        let view = CellView::new(bytes)?;
        match view.judged() {
            Some(judged) => Self::from_view(&judged?),
            None => Self::from_view(&view),
        }
    }

    fn from_view(view: &CellView<'_>) -> Result<Self, CellError> {
        let mut cell = Self { partial: view.is_partial(), ..Self::default() };
        view.merge_total(&mut cell.total)?;
        for entry in view.hosts() {
            let (host, aggregate) = entry?;
            aggregate.merge_into(cell.hosts.entry(host.into()).or_default())?;
        }
        for entry in view.endpoints() {
            let (name, aggregate) = entry?;
            aggregate.merge_into(cell.endpoints.entry(name.to_key()).or_default())?;
        }
        for entry in view.gauges() {
            let (key, value) = entry?;
            cell.gauges.insert(key.into(), value);
        }
        Ok(cell)
    }
}

fn put_aggregate(out: &mut Vec<u8>, aggregate: &Aggregate) {
    let counts = &aggregate.counts;
    for count in [counts.ok, counts.client_error, counts.server_error, counts.timeout] {
        varint::put(out, count);
    }
    aggregate.latency.encode_state(out);
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    varint::put(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
}

fn put_section(out: &mut Vec<u8>, section: &mut Vec<u8>) {
    varint::put(out, section.len() as u64);
    out.append(section);
}
