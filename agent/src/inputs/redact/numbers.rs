//! Numbers that name a person or a card.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::mark;

/// Fewer digits than this name nobody.
const DIGITS_MIN: usize = 9;

/// Digits with at most one space, dash or point between two of them, from 9 to 19.
static RUN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\+?[0-9](?:[ .-]?[0-9]){8,18}").expect("a constant expression is valid"));

/// The text without such numbers.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    if text.bytes().filter(u8::is_ascii_digit).take(DIGITS_MIN).count() < DIGITS_MIN {
        return Cow::Borrowed(text);
    }
    RUN.replace_all(text, |found: &Captures<'_>| {
        let all = found.get(0).expect("group 0 is the whole match");
        let before = text[..all.start()].bytes().next_back();
        let after = text[all.end()..].bytes().next();
        let inside_word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        if inside_word(before) || inside_word(after) {
            return all.as_str().to_owned();
        }
        kind(all.as_str()).map_or_else(|| all.as_str().to_owned(), mark)
    })
}

fn kind(text: &str) -> Option<&'static str> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
    if is_resident_number(text, &digits) {
        Some("rrn")
    } else if is_phone(text, &digits) {
        Some("phone")
    } else if is_card(&digits) {
        Some("card")
    } else {
        None
    }
}

/// `yymmdd-sxxxxxx` with a possible date. With a dash the form is proof enough (numbers given since
/// October 2020 have no check digit); without one, the check digit has to fit.
fn is_resident_number(text: &str, digits: &[u8]) -> bool {
    if digits.len() != 13 {
        return false;
    }
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    let has_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !has_date || !(1..=8).contains(&digits[6]) {
        return false;
    }
    (text.len() == 14 && text.as_bytes()[6] == b'-') || (text.len() == 13 && has_check_digit(digits))
}

/// Weights 2 to 9, then 2 to 5; the check digit is 11 minus the sum modulo 11, modulo 10. For
/// foreigners (sixth digit 5 to 8) two more.
fn has_check_digit(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let foreign = if digits[6] >= 5 { 2 } else { 0 };
    (11 - sum % 11 + foreign) % 10 == u32::from(digits[12])
}

/// Korean numbers: mobile (010, 011, 016 to 019), area codes with dashes, and both with +82.
fn is_phone(text: &str, digits: &[u8]) -> bool {
    let national: Vec<u8> = match (text.strip_prefix("+82"), digits) {
        (Some(_), [8, 2, 0, rest @ ..]) | (Some(_), [8, 2, rest @ ..]) => [&[0], rest].concat(),
        (None, digits) => digits.to_vec(),
        (Some(_), _) => return false,
    };
    let has_marks = text.bytes().any(|byte| !byte.is_ascii_digit());
    match (&national[..], national.len()) {
        ([0, 1, 0, ..], 11) => true,
        ([0, 1, 1 | 6..=9, ..], 10 | 11) => true,
        ([0, 7, 0, ..], 11) | ([0, 2, ..], 9 | 10) | ([0, 3..=6, ..], 10 | 11) => has_marks,
        _ => false,
    }
}

/// 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1 annex B) and begin as cards do.
fn is_card(digits: &[u8]) -> bool {
    if !(13..=19).contains(&digits.len()) || !matches!(digits[0], 2..=6 | 9) {
        return false;
    }
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
