//! Escapes in logged values.

use std::borrow::Cow;

use super::fields::Bytes;

/// How a server escapes what it logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// nginx's default: `\xHH`; a quote never stands in a value.
    Hex,
    /// A backslash before quote and backslash, `\n`, `\t`, `\uHHHH`, `\xHH`: JSON's, Apache's and
    /// logfmt's.
    Backslash,
    /// None.
    None,
}

/// The value that was logged. Copies only where there is an escape.
#[inline]
pub(super) fn unescape(raw: &[u8], escape: Escape) -> Bytes<'_> {
    if escape == Escape::None || memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(resolve(raw))
}

#[cold]
fn resolve(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] != b'\\' || at + 1 == raw.len() {
            out.push(raw[at]);
            at += 1;
            continue;
        }
        at += 2;
        match raw[at - 1] {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'x' => match hex(raw, at, 2) {
                Some(byte) => {
                    out.push(byte as u8);
                    at += 2;
                }
                None => out.extend_from_slice(b"\\x"),
            },
            b'u' => at = unicode(raw, at, &mut out),
            other => out.push(other),
        }
    }
    out
}

/// `\uHHHH`, with its second half where it is a surrogate; returns where to go on.
fn unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(first) = hex(raw, at, 4) else {
        out.extend_from_slice(b"\\u");
        return at;
    };
    let mut next = at + 4;
    let mut code = first;
    if (0xd800..0xdc00).contains(&first)
        && raw[next..].starts_with(b"\\u")
        && let Some(second @ 0xdc00..0xe000) = hex(raw, next + 2, 4)
    {
        code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        next += 6;
    }
    let mut buffer = [0; 4];
    let text = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer);
    out.extend_from_slice(text.as_bytes());
    next
}

fn hex(raw: &[u8], at: usize, len: usize) -> Option<u32> {
    raw.get(at..at + len)?.iter().try_fold(0, |sum, &byte| Some(sum * 16 + char::from(byte).to_digit(16)?))
}
