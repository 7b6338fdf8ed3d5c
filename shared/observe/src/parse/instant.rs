//! Instants as logs write them, told apart by their look: seconds since the epoch with or without a
//! fraction (also whole milli-, micro- and nanoseconds, told by the number of digits), nginx's and
//! Apache's `22/Nov/2026:15:40:04 +0900`, and ISO 8601 / RFC 3339 with their usual liberties.

use goldentime_model::UnixNanos;
use jiff::tz::TimeZone;

/// The zone of stamps that name none: the host's. Remembers the offset of the last quarter of an
/// hour, in which no zone on earth changes twice.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    quarter: i64,
    offset_s: i64,
}

const QUARTER_S: i64 = 900;

impl Zone {
    /// From a zone.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, quarter: i64::MIN, offset_s: 0 }
    }

    /// The host's own.
    #[must_use]
    pub fn of_host() -> Self {
        Self::new(TimeZone::system())
    }

    /// Seconds since the epoch of local seconds.
    #[inline]
    fn utc_of(&mut self, local_s: i64) -> i64 {
        let quarter = local_s.div_euclid(QUARTER_S);
        if quarter != self.quarter {
            let at = jiff::Timestamp::from_second(local_s).unwrap_or_default();
            let guess = i64::from(self.zone.to_offset(at).seconds());
            let at = jiff::Timestamp::from_second(local_s - guess).unwrap_or_default();
            (self.quarter, self.offset_s) = (quarter, i64::from(self.zone.to_offset(at).seconds()));
        }
        local_s - self.offset_s
    }
}

/// The instant, and whether it is of whole seconds.
#[inline]
pub fn parse(text: &[u8], zone: &mut Zone) -> Option<(UnixNanos, bool)> {
    match text {
        [_, _, b'/', ..] => clf(text),
        [_, _, _, _, b'-' | b'/', ..] => iso(text, zone),
        [b'[', inner @ .., b']'] => clf(inner),
        _ => epoch(text),
    }
}

/// `1700000000.123`, or a whole number whose unit its length tells.
#[inline]
fn epoch(text: &[u8]) -> Option<(UnixNanos, bool)> {
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let whole = digits(&text[..point])?;
    if point < text.len() {
        let nanos = fraction(&text[point + 1..])?;
        return Some((UnixNanos(whole.checked_mul(1_000_000_000)?.checked_add(nanos)?), false));
    }
    let (scale, is_coarse) = match point {
        ..=11 => (1_000_000_000, true),
        12..=14 => (1_000_000, false),
        15..=17 => (1000, false),
        _ => (1, false),
    };
    Some((UnixNanos(whole.checked_mul(scale)?), is_coarse))
}

/// `22/Nov/2026:15:40:04 +0900`.
#[inline]
fn clf(text: &[u8]) -> Option<(UnixNanos, bool)> {
    if text.len() != 26 || [text[2], text[6], text[11], text[14], text[17], text[20]] != *b"//::: " {
        return None;
    }
    let month = match &text[3..6] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let day_s = day(digits(&text[7..11])?, month, digits(&text[..2])?)?;
    let local = day_s + clock(&text[12..20])?;
    let seconds = local - offset(&text[21..])?;
    Some((UnixNanos(seconds.checked_mul(1_000_000_000)?), true))
}

/// `2026-11-22T15:40:04.123+09:00`; also with a space or `/`, a comma, no zone.
#[inline]
fn iso(text: &[u8], zone: &mut Zone) -> Option<(UnixNanos, bool)> {
    if text.len() < 19 || text[7] != text[4] || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let day_s = day(digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..10])?)?;
    let local = day_s + clock(&text[11..19])?;
    let mut rest = &text[19..];
    let mut nanos = None;
    if let [b'.' | b',', tail @ ..] = rest {
        let end = tail.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(tail.len());
        nanos = Some(fraction(&tail[..end])?);
        rest = &tail[end..];
    }
    let seconds = match rest {
        b"" => zone.utc_of(local),
        b"Z" | b"z" => local,
        [b' ', rest @ ..] => local - offset(rest)?,
        rest => local - offset(rest)?,
    };
    let at = seconds.checked_mul(1_000_000_000)?.checked_add(nanos.unwrap_or(0))?;
    Some((UnixNanos(at), nanos.is_none()))
}

/// Whole number of at most 19 digits.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_i64, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// Digits after the point, as nanoseconds; what is finer is cut.
#[inline]
fn fraction(text: &[u8]) -> Option<i64> {
    let used = &text[..text.len().min(9)];
    let value = digits(used)?;
    Some((used.len()..9).fold(value, |value, _| value * 10))
}

/// `15:40:04` in seconds; a leap second counts as the last of its minute.
#[inline]
fn clock(text: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text else { return None };
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (h, m, s) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (h < 24 && m < 60 && s <= 60).then(|| h * 3600 + m * 60 + s.min(59))
}

/// `+0900`, `+09:00`, `+09`, `Z` in seconds.
#[inline]
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        b'Z' | b'z' if text.len() == 1 => return Some(0),
        _ => return None,
    };
    let (h, m) = match &text[1..] {
        [h1, h2] => (digits(&[*h1, *h2])?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
        _ => return None,
    };
    (h <= 15 && m < 60).then_some(sign * (h * 3600 + m * 60))
}

/// Seconds from the epoch to the start of a day of the Gregorian calendar (Howard Hinnant's
/// `days_from_civil`).
#[inline]
fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=2261).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * 86_400)
}
