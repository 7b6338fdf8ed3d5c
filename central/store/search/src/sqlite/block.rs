//! A block: lines that are compressed and indexed together.
//!
//! One zstd frame over: version, flags, place of the text, the table of names, a record of numbers for
//! each line, and the text of all lines at the end, so that a search can look through it without
//! reading the rest. A line's text is its message, then each attribute as `key=value` after a
//! separator that no term can hold.

use std::cell::RefCell;
use std::collections::BTreeMap;

use goldentime_model::{LogRecord, ServiceId, UnixNanos};

use crate::fold::{fold, is_plain};
use crate::grams::{Kind, Words};
use crate::level::{Level, Levels};
use crate::line::{Identity, NewLine};

/// Most lines in a block: more make the index smaller and each candidate dearer to check.
pub(super) const LINES_MAX: usize = 64;
/// A block is full when its text is longer, in bytes.
pub(super) const TEXT_BYTES_FULL: usize = 24 * 1024;
/// Longest block, in bytes before compression: what is more was not written by us.
const RAW_BYTES_MAX: usize = 4 * 1024 * 1024;

const VERSION: u8 = 1;
/// Lowering ASCII letters folds the text.
const PLAIN: u8 = 1;
const SEPARATOR: char = '\u{1f}';
/// Compression: 3 takes twice the time of 1 for a tenth less.
const ZSTD_LEVEL: i32 = 1;

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block is damaged")]
pub(super) struct Damaged;

/// A block as it is written.
pub(super) struct Encoded {
    pub(super) data: Vec<u8>,
    pub(super) min_at: i64,
    pub(super) max_at: i64,
    pub(super) lines: usize,
    pub(super) text_bytes: usize,
    pub(super) levels: Vec<u8>,
}

/// Bytes of a line's text.
pub(super) fn text_len(line: &NewLine) -> usize {
    let attributes = line.record.attributes.iter().map(|(key, value)| key.len() + value.len() + 2);
    line.record.message.len() + attributes.sum::<usize>()
}

/// Compresses lines, of which there is at least one.
pub(super) fn encode(lines: &[NewLine]) -> Result<Encoded, std::io::Error> {
    let (mut names, mut records, mut text) = (Names::default(), Vec::new(), String::new());
    let mut counts = [0_u16; Levels::SLOTS];
    let (mut at, mut number) = (0_i64, 0_i64);
    for line in lines {
        let NewLine { identity, service, host, record } = line;
        put_signed(&mut records, record.at.0.wrapping_sub(at));
        at = record.at.0;
        for name in [service.as_str().as_bytes(), host.as_bytes(), record.level.as_bytes(), &identity.stream]
        {
            put(&mut records, names.index(name));
        }
        put(&mut records, u64::from(identity.partition));
        let this = identity.number.cast_signed();
        put_signed(&mut records, this.wrapping_sub(number));
        number = this;
        put(&mut records, u64::from(identity.index));
        for id in [&record.trace_id, &record.span_id] {
            put_bytes(&mut records, id.as_bytes());
        }
        put(&mut records, record.message.len() as u64);
        text.push_str(&record.message);
        put(&mut records, record.attributes.len() as u64);
        for (key, value) in &record.attributes {
            put(&mut records, key.len() as u64);
            put(&mut records, value.len() as u64);
            text.push(SEPARATOR);
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        counts[Levels::of(&record.level).slot()] += 1;
    }
    let mut raw = vec![VERSION, if is_plain(&text) { PLAIN } else { 0 }];
    let mut head = Vec::new();
    put(&mut head, lines.len() as u64);
    put(&mut head, names.0.len() as u64);
    names.0.iter().for_each(|name| put_bytes(&mut head, name));
    let text_at = u32::try_from(raw.len() + 4 + head.len() + records.len()).unwrap_or(u32::MAX);
    raw.extend_from_slice(&text_at.to_le_bytes());
    raw.extend_from_slice(&head);
    raw.extend_from_slice(&records);
    raw.extend_from_slice(text.as_bytes());
    let times = || lines.iter().map(|line| line.record.at.0);
    Ok(Encoded {
        data: compress(&raw)?,
        min_at: times().min().unwrap_or(0),
        max_at: times().max().unwrap_or(0),
        lines: lines.len(),
        text_bytes: text.len(),
        levels: counts.iter().flat_map(|count| count.to_le_bytes()).collect(),
    })
}

/// Lines by level of an encoded block.
pub(super) fn level_counts(levels: &[u8]) -> [u64; Levels::SLOTS] {
    let mut counts = [0; Levels::SLOTS];
    for (count, bytes) in counts.iter_mut().zip(levels.chunks_exact(2)) {
        *count = u64::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    }
    counts
}

/// Slots of `error` and graver.
pub(super) fn errors_of(counts: &[u64; Levels::SLOTS]) -> u64 {
    counts[Level::Error as usize] + counts[Level::Fatal as usize]
}

/// A block with its text at hand.
pub(super) struct Block {
    /// Everything before the text.
    head: Vec<u8>,
    text: String,
    is_plain: bool,
}

thread_local! {
    /// The tables of both are larger than a block.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

pub(super) fn compress(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
        };
        compressor.compress(raw)
    })
}

pub(super) fn decompress(data: &[u8]) -> Result<Vec<u8>, Damaged> {
    let size = zstd::zstd_safe::get_frame_content_size(data).ok().flatten().ok_or(Damaged)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= RAW_BYTES_MAX).ok_or(Damaged)?;
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            None => decompressor.insert(zstd::bulk::Decompressor::new().map_err(|_| Damaged)?),
        };
        decompressor.decompress(data, size).map_err(|_| Damaged)
    })
}

impl Block {
    pub(super) fn decode(data: &[u8]) -> Result<Self, Damaged> {
        let mut head = decompress(data)?;
        let (Some(&VERSION), Some(flags), Some(place)) = (head.first(), head.get(1), head.get(2..6)) else {
            return Err(Damaged);
        };
        let is_plain = flags & PLAIN != 0;
        let text_at = u32::from_le_bytes(place.try_into().map_err(|_| Damaged)?) as usize;
        if text_at > head.len() {
            return Err(Damaged);
        }
        let text = String::from_utf8(head.split_off(text_at)).map_err(|_| Damaged)?;
        Ok(Self { head, text, is_plain })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Writes the folded text, if it can be folded as a whole and keeps its places.
    pub(super) fn fold_plain<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        self.is_plain.then(|| {
            buffer.clear();
            buffer.extend_from_slice(self.text.as_bytes());
            buffer.make_ascii_lowercase();
            &buffer[..]
        })
    }

    /// The lines' numbers and names.
    pub(super) fn lines(&self) -> Result<Lines<'_>, Damaged> {
        let mut read = Read(self.head.get(6..).ok_or(Damaged)?);
        let count = read.size()?;
        let names = (0..read.size()?).map(|_| read.bytes()).collect::<Result<Vec<_>, _>>()?;
        let (mut metas, mut at, mut number, mut text_from) =
            (Vec::with_capacity(count.min(LINES_MAX)), 0_i64, 0_i64, 0);
        for _ in 0..count {
            at = at.wrapping_add(read.signed()?);
            let mut name =
                || read.size().and_then(|index| (index < names.len()).then_some(index).ok_or(Damaged));
            let (service, host, level, stream) = (name()?, name()?, name()?, name()?);
            let partition = u32::try_from(read.number()?).map_err(|_| Damaged)?;
            number = number.wrapping_add(read.signed()?);
            let index = u32::try_from(read.number()?).map_err(|_| Damaged)?;
            let (trace, span) = (read.text()?, read.text()?);
            let message_len = read.size()?;
            let mut text_len = message_len;
            let attributes = read.size()?;
            let lengths = read.0;
            for _ in 0..attributes {
                text_len += read.size()? + read.size()? + 2;
            }
            let text = text_from..text_from + text_len;
            text_from = text.end;
            self.text().get(text.clone()).ok_or(Damaged)?;
            metas.push(Meta {
                at,
                service,
                host,
                level,
                stream,
                partition,
                number: number.cast_unsigned(),
                index,
                trace,
                span,
                message_len,
                attributes,
                lengths,
                text,
            });
        }
        Ok(Lines { block: self, names, metas })
    }

    /// Collects the block's words for the index.
    pub(super) fn words(&self, words: &mut Words) -> Result<(), Damaged> {
        words.clear();
        let lines = self.lines()?;
        let mut buffer = Vec::new();
        if let Some(folded) = self.fold_plain(&mut buffer) {
            for meta in &lines.metas {
                words.add_text(std::str::from_utf8(&folded[meta.text.clone()]).map_err(|_| Damaged)?);
            }
        } else {
            for meta in &lines.metas {
                words.add_text(&fold(&self.text()[meta.text.clone()]));
            }
        }
        for meta in &lines.metas {
            let (service, level) = (lines.name(meta.service)?, Levels::of(lines.name(meta.level)?));
            words.add_name(Kind::Service, service);
            words.add_name(Kind::Host, lines.name(meta.host)?);
            words.add_name(Kind::Level, &level.slot().to_string());
            words.add_name(Kind::ServiceLevel, &format!("{}/{service}", level.slot()));
            if !meta.trace.is_empty() {
                words.add_name(Kind::Trace, &meta.trace.to_ascii_lowercase());
            }
        }
        Ok(())
    }
}

/// The lines of a block.
pub(super) struct Lines<'a> {
    block: &'a Block,
    names: Vec<&'a [u8]>,
    pub(super) metas: Vec<Meta<'a>>,
}

/// A line without its text. Names are places in the block's table.
pub(super) struct Meta<'a> {
    pub(super) at: i64,
    pub(super) service: usize,
    pub(super) host: usize,
    pub(super) level: usize,
    stream: usize,
    partition: u32,
    number: u64,
    index: u32,
    pub(super) trace: &'a str,
    span: &'a str,
    message_len: usize,
    attributes: usize,
    /// Two numbers an attribute.
    lengths: &'a [u8],
    /// Place within the block's text.
    pub(super) text: std::ops::Range<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn name(&self, index: usize) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.names[index]).map_err(|_| Damaged)
    }

    pub(super) fn names(&self) -> &[&'a [u8]] {
        &self.names
    }

    /// The line as it was before.
    pub(super) fn read(&self, meta: &Meta<'_>) -> Result<NewLine, Damaged> {
        let text = &self.block.text()[meta.text.clone()];
        let mut place = meta.message_len;
        let message = text.get(..place).ok_or(Damaged)?.to_owned();
        let (mut attributes, mut lengths) = (BTreeMap::new(), Read(meta.lengths));
        for _ in 0..meta.attributes {
            let (key_len, value_len) = (lengths.size()?, lengths.size()?);
            let (key, value) = (place + 1, place + 2 + key_len);
            let part = |from: usize, len: usize| text.get(from..from + len).ok_or(Damaged);
            attributes.insert(part(key, key_len)?.to_owned(), part(value, value_len)?.to_owned());
            place = value + value_len;
        }
        let identity = Identity {
            stream: self.names[meta.stream].try_into().map_err(|_| Damaged)?,
            partition: meta.partition,
            number: meta.number,
            index: meta.index,
        };
        let record = LogRecord {
            at: UnixNanos(meta.at),
            level: self.name(meta.level)?.to_owned(),
            message,
            trace_id: meta.trace.to_owned(),
            span_id: meta.span.to_owned(),
            attributes,
        };
        let service: ServiceId = self.name(meta.service)?.parse().map_err(|_| Damaged)?;
        Ok(NewLine { identity, service, host: self.name(meta.host)?.into(), record })
    }
}

/// Names of a block, each once.
#[derive(Default)]
struct Names(Vec<Vec<u8>>);

impl Names {
    fn index(&mut self, name: &[u8]) -> u64 {
        let known = self.0.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.0.push(name.to_vec());
            self.0.len() - 1
        }) as u64
    }
}

/// LEB128.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Read<'a>(&'a [u8]);

impl<'a> Read<'a> {
    fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Damaged)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A length or count, which cannot be above what a block may hold.
    fn size(&mut self) -> Result<usize, Damaged> {
        let size = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        (size <= RAW_BYTES_MAX).then_some(size).ok_or(Damaged)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.size()?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged)
    }
}
