//! Short hand for series of numbers, one a second: `100x60` is a hundred, sixty times; `0+10x5` is 0, 10,
//! 20, 30, 40; `_x30` is thirty seconds of nothing.

/// Most seconds of one series: a month.
pub(super) const SECONDS_MAX: usize = 31 * 86_400;

/// Reads a series.
pub(super) fn parse(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        let (first, times) = match word.split_once('x') {
            Some((first, times)) => (first, times.parse::<usize>().map_err(|_| form(word))?),
            None => (word, 1),
        };
        if values.len().saturating_add(times) > SECONDS_MAX {
            return Err(format!("has more than the {SECONDS_MAX} seconds allowed"));
        }
        if first == "_" {
            values.extend(std::iter::repeat_n(None, times));
            continue;
        }
        let (from, by) = ramp(first).ok_or_else(|| form(word))?;
        values.extend((0..times).map(|at| Some(from + by * at as f64)));
    }
    Ok(values)
}

/// `a`, `a+b` or `a-b`.
fn ramp(text: &str) -> Option<(f64, f64)> {
    // A sign at the beginning is the number's own, and one after an `e` its exponent's.
    let is_sign = |(at, byte): &(usize, u8)| {
        *at > 0 && matches!(*byte, b'+' | b'-') && !matches!(text.as_bytes()[at - 1], b'e' | b'E')
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    match text.bytes().enumerate().find(is_sign) {
        None => Some((number(text)?, 0.0)),
        Some((at, sign)) => {
            let by = number(&text[at + 1..])?;
            Some((number(&text[..at])?, if sign == b'-' { -by } else { by }))
        }
    }
}

fn form(word: &str) -> String {
    format!("holds `{word}`; write numbers, one a second, such as `100x60 0+10x5 _x30`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<f64> {
        parse(text).expect("valid").into_iter().map(|value| value.unwrap_or(-1.0)).collect()
    }

    #[test]
    fn repeats_ramps_and_gaps() {
        assert_eq!(numbers("7x3"), [7.0, 7.0, 7.0]);
        assert_eq!(numbers("0+10x3 5"), [0.0, 10.0, 20.0, 5.0]);
        assert_eq!(numbers("1-0.5x3 _x2 1e-3"), [1.0, 0.5, 0.0, -1.0, -1.0, 0.001]);
        assert_eq!(numbers(""), [0.0; 0]);
    }

    #[test]
    fn what_is_none_is_quoted() {
        for text in ["x", "1x", "ax3", "1+x3", "1x-2", "inf"] {
            assert!(parse(text).expect_err("refused").contains("such as"), "{text}");
        }
        assert!(parse("1x99999999").expect_err("refused").contains("allowed"));
    }
}
