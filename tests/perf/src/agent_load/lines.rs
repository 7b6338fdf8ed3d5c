//! Access log lines as a shop's front door writes them.

use std::fmt::Write as _;

use goldentime_model::UnixNanos;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Things that the shop has a page for each of.
const NOUNS: &str = "accounts baskets brands campaigns categories coupons customers invoices items messages \
                     orders payments prices products refunds reviews searches shipments stocks wishes";
/// Ids that each of the pages with ids is asked for; far more paths than the agent remembers.
const IDS: u64 = 2_000;
/// The second before the last line is what one block of lines is spread over.
const SPREAD_NANOS: i64 = 1_000_000_000;
/// A little more than a line takes.
const LINE_BYTES: usize = 256;

/// A generator of lines in [`goldentime_testkit::nginx::LOG_FORMAT`], some 200 bytes each. Two of the
/// same kind make the same requests in the same order.
pub struct Traffic {
    routes: Vec<Route>,
    random: StdRng,
}

struct Route {
    method: &'static str,
    path: String,
    has_id: bool,
}

impl Traffic {
    /// Forty routes, half of them with an id in the path.
    #[must_use]
    pub fn shop() -> Self {
        let pages = nouns().map(|noun| (format!("/api/v1/{noun}"), false));
        let things = nouns().map(|noun| (format!("/api/v1/{noun}/"), true));
        let routes =
            pages.chain(things).map(|(path, has_id)| Route { method: "GET", path, has_id }).collect();
        Self { routes, random: StdRng::seed_from_u64(1) }
    }

    /// As many series: half as many endpoints, each read and written.
    #[must_use]
    pub fn series(count: usize) -> Self {
        let nouns: Vec<&str> = nouns().collect();
        let routes = (0..count).map(|number| {
            let (endpoint, method) = (number / 2, if number % 2 == 0 { "GET" } else { "POST" });
            let noun = nouns[endpoint % nouns.len()];
            Route { method, path: format!("/api/{noun}/view-{}", endpoint / nouns.len()), has_id: false }
        });
        Self { routes: routes.collect(), random: StdRng::seed_from_u64(1) }
    }

    /// The next `count` lines, of requests completed one after the other in the second before `now`.
    pub fn lines(&mut self, count: u32, now: UnixNanos) -> String {
        let mut text = String::with_capacity(count as usize * LINE_BYTES);
        let (begin, count) = (now.saturating_add(-SPREAD_NANOS), i64::from(count));
        let (mut second, mut local) = (i64::MIN, String::new());
        for number in 0..count {
            let at_ms = begin.saturating_add(SPREAD_NANOS * number / count).as_millis();
            if at_ms.div_euclid(1000) != second {
                second = at_ms.div_euclid(1000);
                local = local_time(second);
            }
            self.line(&mut text, &local, at_ms);
        }
        text
    }

    fn line(&mut self, text: &mut String, local: &str, at_ms: i64) {
        let random: u64 = self.random.random();
        let route = &self.routes[(random >> 48) as usize % self.routes.len()];
        let status = match random % 200 {
            0 => 503,
            1 => 500,
            2..=5 => 404,
            6..=9 => 201,
            10..=11 => 499,
            _ => 200,
        };
        // One to 1,999 milliseconds, as many from 1 to 2 as from 512 to 1024.
        let scale = 1 << ((random >> 8) % 11);
        let millis = (scale + (random >> 12) % scale).min(1_999);
        let _ = write!(
            text,
            "10.0.{}.{} - - [{local}] \"{} {}",
            (random >> 16) & 255,
            (random >> 24) & 255,
            route.method,
            route.path
        );
        if route.has_id {
            let _ = write!(text, "{}", (random >> 20) % IDS);
        }
        let _ = writeln!(
            text,
            " HTTP/1.1\" {status} {} \"https://shop.example/start\" \"Mozilla/5.0 (X11; Linux x86_64; \
             rv:128.0) Gecko/20100101 Firefox/128.0\" rt={}.{:03} msec={}.{:03}",
            (random >> 32) & 0xffff,
            millis / 1000,
            millis % 1000,
            at_ms.div_euclid(1000),
            at_ms.rem_euclid(1000),
        );
    }
}

fn nouns() -> impl Iterator<Item = &'static str> {
    NOUNS.split_whitespace()
}

/// A second as nginx writes `$time_local` on a machine that keeps UTC.
fn local_time(second: i64) -> String {
    let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Sunday, 22 November 2026, 16:00:00.4 UTC.
    const NOW: UnixNanos = UnixNanos(1_795_363_200_400_000_000);

    #[test]
    fn lines_are_of_the_last_second_in_the_order_of_time() {
        let text = Traffic::shop().lines(1000, NOW);
        let stamps: Vec<&str> = text.lines().filter_map(|line| line.split("msec=").nth(1)).collect();
        assert_eq!(stamps.len(), 1000);
        assert_eq!(stamps.first().copied(), Some("1795363199.400"));
        assert_eq!(stamps.last().copied(), Some("1795363200.399"));
        assert!(stamps.is_sorted());
        assert!(
            text.contains("[22/Nov/2026:15:59:59 +0000]") && text.contains("[22/Nov/2026:16:00:00 +0000]")
        );
        assert!((190..230).contains(&(text.len() / 1000)), "{} bytes", text.len() / 1000);
    }

    #[test]
    fn as_many_series_as_asked_for_appear() {
        let text = Traffic::series(500).lines(50_000, NOW);
        let requests: HashSet<&str> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(requests.len(), 500);
    }
}
