//! Numbers as logs write them.

use super::fields::Unparsed;
use super::role::Unit;

/// Three digits, not below 100.
#[inline]
pub fn status(text: &[u8]) -> Option<u16> {
    match *text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}

/// A duration, or the sum of several as nginx writes those of its upstreams (`0.010, 0.020 : 0.001`);
/// `-` among them adds nothing. `None` if all are `-`. A text such as `1.5ms` brings its own unit.
#[inline]
pub(super) fn duration(text: &[u8], unit: Unit) -> Result<Option<f64>, Unparsed> {
    if let Some(value) = decimal(text) {
        return Ok(Some(value * unit.seconds()));
    }
    several(text, unit)
}

#[cold]
fn several(text: &[u8], unit: Unit) -> Result<Option<f64>, Unparsed> {
    if !text.contains(&b',') && !text.contains(&b' ') {
        return with_unit(text).map(Some).ok_or(Unparsed::Duration);
    }
    let mut sum = None;
    for part in text.split(|byte| matches!(byte, b',' | b':' | b' ')).filter(|part| !part.is_empty()) {
        if part != b"-" {
            let value = decimal(part).ok_or(Unparsed::Duration)?;
            sum = Some(sum.unwrap_or(0.0) + value * unit.seconds());
        }
    }
    Ok(sum)
}

fn with_unit(text: &[u8]) -> Option<f64> {
    let digits = text.iter().position(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())?;
    let seconds = match &text[digits..] {
        b"s" => 1.0,
        b"ms" => 1e-3,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1e-6,
        b"ns" => 1e-9,
        _ => return float(text),
    };
    Some(decimal(&text[..digits])? * seconds)
}

/// Numbers with an exponent are rare enough for the standard library. Not negative, finite.
pub fn float(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// Powers of ten that a fraction divides by.
const POW10: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Digits with at most one point among them; not negative. Exact where it fits 53 bits, as durations
/// do.
#[inline]
pub fn decimal(text: &[u8]) -> Option<f64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let (mut mantissa, mut decimals, mut seen_point) = (0_u64, 0_usize, false);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                decimals += usize::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            _ => return None,
        }
    }
    if seen_point && text.len() == 1 {
        return None;
    }
    Some(mantissa as f64 / POW10[decimals])
}
