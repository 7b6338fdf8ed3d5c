//! Numbers that name a person or a card.
//!
//! The text is cut into groups of digits, and every row of neighbouring groups is tried, longest first:
//! a house number before a telephone number must not hide it.

use std::borrow::Cow;

use super::mark;

/// Fewer digits than this name nobody.
const DIGITS_MIN: usize = 9;
/// More digits than this are no card.
const DIGITS_MAX: usize = 19;
/// More groups than this make no number that is known here.
const GROUPS_MAX: usize = 5;

/// The text without such numbers.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    if text.bytes().filter(u8::is_ascii_digit).take(DIGITS_MIN).count() < DIGITS_MIN {
        return Cow::Borrowed(text);
    }
    let groups = groups(text);
    let (mut clean, mut copied, mut at) = (String::new(), 0, 0);
    while at < groups.len() {
        let Some((until, kind)) = longest(text, &groups[at..]) else {
            at += 1;
            continue;
        };
        let before = &text[copied..groups[at].start];
        clean.push_str(before.strip_suffix('+').unwrap_or(before));
        clean.push_str(&mark(kind));
        copied = groups[at + until - 1].end;
        at += until;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// A row of digits.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

impl Group {
    const fn len(self) -> usize {
        self.end - self.start
    }
}

fn groups(text: &str) -> Vec<Group> {
    let bytes = text.as_bytes();
    let mut groups = Vec::new();
    let mut at = 0;
    while let Some(skipped) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + skipped;
        let length = bytes[start..].iter().position(|byte| !byte.is_ascii_digit());
        at = length.map_or(bytes.len(), |length| start + length);
        groups.push(Group { start, end: at });
    }
    groups
}

/// How many groups, from the first on, make the longest number that must go, and of which kind it is.
fn longest(text: &str, groups: &[Group]) -> Option<(usize, &'static str)> {
    let first = groups.first()?;
    if is_letter(text[..first.start].bytes().next_back()) {
        return None;
    }
    let mut number = Number { text, groups: &groups[..1], marks: Vec::new() };
    let mut rows = 1;
    for pair in groups.windows(2).take(GROUPS_MAX - 1) {
        let mark = &text[pair[0].end..pair[1].start];
        if !matches!(mark, " " | "." | "-" | " - " | ")" | ") " | ")-") {
            break;
        }
        number.marks.push(mark);
        rows += 1;
    }
    (1..=rows).rev().find_map(|count| {
        number.groups = &groups[..count];
        number.marks.truncate(count - 1);
        Some((count, number.kind()?))
    })
}

fn is_letter(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// Neighbouring groups and what stands between them.
struct Number<'a> {
    text: &'a str,
    groups: &'a [Group],
    marks: Vec<&'a str>,
}

impl Number<'_> {
    fn kind(&self) -> Option<&'static str> {
        let end = self.groups[self.groups.len() - 1].end;
        let length: usize = self.groups.iter().map(|group| group.len()).sum();
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&length) || is_letter(self.text[end..].bytes().next()) {
            return None;
        }
        let digits: Vec<u8> = self.groups.iter().flat_map(|group| self.digits(*group)).collect();
        if self.is_resident_number(&digits) {
            Some("rrn")
        } else if self.is_phone(&digits) {
            Some("phone")
        } else if self.is_card(&digits) {
            Some("card")
        } else {
            None
        }
    }

    fn digits(&self, group: Group) -> impl Iterator<Item = u8> {
        self.text[group.start..group.end].bytes().map(|byte| byte - b'0')
    }

    /// A point before or behind: a part of a decimal number or of an address.
    fn is_behind_a_point(&self) -> bool {
        let before = &self.text[..self.groups[0].start];
        let mut before = before.bytes().rev();
        before.next() == Some(b'.') && before.next().is_some_and(|byte| byte.is_ascii_digit())
    }

    /// `yymmdd-sxxxxxx` with a possible date. With a dash the form is proof enough (numbers given since
    /// October 2020 have no check digit); without one, the check digit has to fit.
    fn is_resident_number(&self, digits: &[u8]) -> bool {
        if digits.len() != 13 {
            return false;
        }
        let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
        let has_date = (1..=12).contains(&month) && (1..=31).contains(&day);
        if !has_date || !(1..=8).contains(&digits[6]) {
            return false;
        }
        match (self.groups, &self.marks[..]) {
            ([birth, _], ["-" | " - "]) => birth.len() == 6,
            ([birth, _], [" "]) => birth.len() == 6 && has_check_digit(digits),
            ([_], []) => has_check_digit(digits) && !self.is_behind_a_point(),
            _ => false,
        }
    }

    /// Korean numbers: mobile (010, 011, 016 to 019), area codes with marks behind them, and both
    /// with +82.
    fn is_phone(&self, digits: &[u8]) -> bool {
        let is_international = self.text[..self.groups[0].start].ends_with('+');
        let (national, code) = match (is_international, digits) {
            (true, [8, 2, 0, rest @ ..] | [8, 2, rest @ ..]) => ([&[0], rest].concat(), None),
            (false, digits) => (digits.to_vec(), (self.groups.len() > 1).then(|| self.groups[0].len())),
            (true, _) => return false,
        };
        let is_area = |digits: usize| is_international || code == Some(digits);
        match (&national[..], national.len()) {
            ([0, 1, 0, ..], 11) | ([0, 1, 1 | 6..=9, ..], 10 | 11) => code.is_none_or(|code| code >= 3),
            ([0, 7, 0, ..], 11) | ([0, 3..=6, ..], 10 | 11) => is_area(3),
            ([0, 2, ..], 9 | 10) => is_area(2),
            _ => false,
        }
    }

    /// 13 to 19 digits in one row, or grouped as they stand on a card, that pass the Luhn check
    /// (ISO/IEC 7812-1 annex B) and begin as cards do.
    fn is_card(&self, digits: &[u8]) -> bool {
        let lengths: Vec<usize> = self.groups.iter().map(|group| group.len()).collect();
        let is_grouped = match lengths[..] {
            [_] => !self.is_behind_a_point(),
            [4, 4, 4, 1..=4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4..=5] => {
                matches!(self.marks[0], " " | "-") && self.marks.iter().all(|mark| *mark == self.marks[0])
            }
            _ => false,
        };
        is_grouped
            && (13..=19).contains(&digits.len())
            && matches!(digits[0], 2..=6 | 9)
            && passes_luhn(digits)
    }
}

/// Weights 2 to 9, then 2 to 5; the check digit is 11 minus the sum modulo 11, modulo 10. For
/// foreigners (sixth digit 5 to 8) two more.
fn has_check_digit(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let foreign = if digits[6] >= 5 { 2 } else { 0 };
    (11 - sum % 11 + foreign) % 10 == u32::from(digits[12])
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| {
            let doubled = u32::from(digit) * if at.is_multiple_of(2) { 1 } else { 2 };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}
