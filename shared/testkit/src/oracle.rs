//! Exact answers, computed the slow and obvious way, to compare with.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// One line of an access log in [`crate::nginx::LOG_FORMAT`].
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLine {
    /// HTTP verb.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// HTTP status.
    pub status: u16,
    /// Request time in seconds.
    pub seconds: f64,
    /// When the request ended, in seconds since the epoch.
    pub at: f64,
}

/// What was counted for one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// All requests.
    pub requests: u64,
    /// Those with a status from 500.
    pub errors: u64,
    /// Every request time, unsorted.
    pub seconds: Vec<f64>,
}

/// Reads a whole access log written with [`crate::nginx::LOG_FORMAT`].
pub fn read_access_log(path: &Path) -> Result<Vec<AccessLine>> {
    let bytes = std::fs::read(path).with_context(|| format!("access log {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| parse(line).with_context(|| format!("line {line:?}"))).collect()
}

fn parse(line: &str) -> Result<AccessLine> {
    let mut quoted = line.split('"');
    let request = quoted.nth(1).context("no request")?;
    let status = quoted.next().and_then(|rest| rest.split_whitespace().next()).context("no status")?;
    let (method, rest) = request.split_once(' ').context("no method")?;
    let target = rest.split(' ').next().context("no target")?;
    let tail = line.rsplit_once(" rt=").context("no rt=")?.1;
    let (seconds, at) = tail.split_once(" msec=").context("no msec=")?;
    Ok(AccessLine {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or(target).to_owned(),
        status: status.parse()?,
        seconds: seconds.parse()?,
        at: at.parse()?,
    })
}

/// Counts lines by whatever `key` makes of them.
pub fn tally<K: Ord>(lines: &[AccessLine], key: impl Fn(&AccessLine) -> K) -> BTreeMap<K, Tally> {
    let mut tallies: BTreeMap<K, Tally> = BTreeMap::new();
    for line in lines {
        let tally = tallies.entry(key(line)).or_default();
        tally.requests += 1;
        tally.errors += u64::from(line.status >= 500);
        tally.seconds.push(line.seconds);
    }
    tallies
}

/// The exact quantile by nearest rank: the smallest value that at least a share `q` is not above.
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    if values.is_empty() {
        bail!("no quantile of nothing");
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    Ok(sorted[rank.min(sorted.len()) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_nginx_writes_it_is_read() {
        let line = r#"127.0.0.1 - - [22/Nov/2026:15:14:42 +0000] "GET /orders/7?x=1 HTTP/1.1" 502 157 "-" "wrk" rt=0.012 msec=1795360482.123"#;
        let read = parse(line).expect("valid");
        assert_eq!((read.method.as_str(), read.path.as_str(), read.status), ("GET", "/orders/7", 502));
        assert!((read.seconds - 0.012).abs() < 1e-12 && (read.at - 1_795_360_482.123).abs() < 1e-3);
    }

    #[test]
    fn the_nearest_rank_of_a_hundred_values_is_the_value_itself() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.95).expect("values"), 95.0);
        assert_eq!(quantile(&values, 1.0).expect("values"), 100.0);
    }
}
