//! Lines and multiline records in a block of bytes.

use regex::bytes::{Regex, RegexBuilder};

/// Cuts blocks.
#[derive(Clone, Debug)]
pub(super) struct Cutter {
    bytes_max: usize,
    /// What the first line of a record matches; `None`: each line is a record.
    start: Option<Regex>,
}

/// What stands next in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record from here to `end`; the next begins at `next`.
    Record { end: usize, next: usize, is_cut: bool, skips: bool },
    /// The rest of a line that was cut reaches to `next`, and there it ends, or not.
    Skipped { next: usize, is_over: bool },
    /// Not whole yet.
    Incomplete,
}

impl Cutter {
    pub(super) fn new(bytes_max: usize, start: Option<&str>) -> Result<Self, regex::Error> {
        let start =
            start.map(|pattern| RegexBuilder::new(pattern).size_limit(4 << 20).build()).transpose()?;
        Ok(Self { bytes_max, start })
    }

    pub(super) const fn is_multiline(&self) -> bool {
        self.start.is_some()
    }

    /// The record at `from`. `is_final`: what stands there will not become more.
    #[inline]
    pub(super) fn next(&self, block: &[u8], from: usize, is_skipping: bool, is_final: bool) -> Step {
        let rest = &block[from..];
        if rest.is_empty() {
            return Step::Incomplete;
        }
        if is_skipping {
            return match memchr::memchr(b'\n', rest) {
                Some(at) => Step::Skipped { next: from + at + 1, is_over: true },
                None => Step::Skipped { next: block.len(), is_over: false },
            };
        }
        let end = match &self.start {
            None => memchr::memchr(b'\n', rest),
            Some(start) => record_end(start, rest),
        };
        match end {
            Some(at) if at <= self.bytes_max => {
                Step::Record { end: from + at, next: from + at + 1, is_cut: false, skips: false }
            }
            _ if rest.len() > self.bytes_max => self.cut(block, from),
            _ if is_final => {
                let end = block.len() - usize::from(rest.ends_with(b"\n"));
                Step::Record { end, next: block.len(), is_cut: false, skips: false }
            }
            _ => Step::Incomplete,
        }
    }

    #[cold]
    fn cut(&self, block: &[u8], from: usize) -> Step {
        let end = from + self.bytes_max;
        match memchr::memchr(b'\n', &block[end..]) {
            Some(at) => Step::Record { end, next: end + at + 1, is_cut: true, skips: false },
            None => Step::Record { end, next: block.len(), is_cut: true, skips: true },
        }
    }
}

/// The newline before the next line that starts a record.
fn record_end(start: &Regex, rest: &[u8]) -> Option<usize> {
    let mut newline = memchr::memchr(b'\n', rest)?;
    loop {
        let line = &rest[newline + 1..];
        let end = memchr::memchr(b'\n', line)?;
        if start.is_match(&line[..end]) {
            return Some(newline);
        }
        newline += 1 + end;
    }
}

/// A line without the carriage return that Windows writes.
#[inline]
pub(super) fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(cutter: &Cutter, block: &[u8], is_final: bool) -> Vec<Vec<u8>> {
        let (mut from, mut is_skipping, mut lines) = (0, false, Vec::new());
        loop {
            match cutter.next(block, from, is_skipping, is_final) {
                Step::Record { end, next, skips, .. } => {
                    lines.push(block[from..end].to_vec());
                    (from, is_skipping) = (next, skips);
                }
                Step::Skipped { next, is_over } => (from, is_skipping) = (next, !is_over),
                Step::Incomplete => return lines,
            }
        }
    }

    fn texts(lines: Vec<Vec<u8>>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line).expect("UTF-8")).collect()
    }

    #[test]
    fn a_last_line_without_its_newline_waits() {
        let cutter = Cutter::new(10, None).expect("valid");
        assert_eq!(texts(cut(&cutter, b"one\n\ntwo\nthr", false)), ["one", "", "two"]);
        assert_eq!(texts(cut(&cutter, b"one\n\ntwo\nthr", true)), ["one", "", "two", "thr"]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_stepped_over() {
        let cutter = Cutter::new(4, None).expect("valid");
        assert_eq!(texts(cut(&cutter, b"abcdefg\nxy\nabcdefgh", false)), ["abcd", "xy", "abcd"]);
    }

    #[test]
    fn lines_that_do_not_start_a_record_belong_to_the_one_before() {
        let cutter = Cutter::new(100, Some(r"^\d")).expect("valid");
        let block = b"1 error\n  at a\n  at b\n2 fine\n3 last\n  at";
        assert_eq!(texts(cut(&cutter, block, false)), ["1 error\n  at a\n  at b", "2 fine"]);
        assert_eq!(texts(cut(&cutter, block, true))[2], "3 last\n  at");
    }

    proptest! {
        #[test]
        fn every_byte_is_in_a_line_or_a_newline(block in "[ab\n]{0,200}") {
            let cutter = Cutter::new(1000, None).expect("valid");
            let lines = texts(cut(&cutter, block.as_bytes(), true));
            prop_assert_eq!(lines, block.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
