//! Shares over windows and the instants of firing, beside Prometheus's own arithmetic and beside an oracle
//! that is written from the definitions.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use goldentime_central::evaluate::openslo::RuleSet;
use goldentime_central::rehearse::Desk;
use goldentime_model::config::load::source;
use goldentime_model::{Counts, Second, ServiceId};
use goldentime_windows::SecondCell;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The beginning of an hour.
const START: i64 = 1_767_571_200;
const SECONDS: usize = 7_200;
/// Windows of the rules, by their names, in seconds.
const WINDOWS: [(&str, i64); 5] = [("10s", 10), ("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3_600)];
/// What more than which fires.
const LIMIT: f64 = 0.1;

/// Requests and bad ones of a second; `None` in a gap.
type Series = Vec<Option<(u64, u64)>>;

/// Flat stretches, ramps and gaps, of every second a random share of bad ones.
fn series(rng: &mut StdRng) -> Series {
    let mut series: Series = Vec::with_capacity(SECONDS);
    while series.len() < SECONDS {
        let seconds = rng.random_range(1..300);
        let (kind, rate, failing) =
            (rng.random_range(0..10), rng.random_range(1..200_u64), rng.random_range(0.0..0.25));
        for second in 0..seconds {
            if series.len() == SECONDS {
                break;
            }
            let total = match kind {
                // Shorter than the shortest window of a rule with two.
                0 | 1 if second < 25 => None,
                2..=4 => Some(rate + second),
                _ => Some(rate),
            };
            series.push(total.map(|total| {
                let bad = (total as f64 * failing * rng.random_range(0.0..2.0)).floor();
                (total, (bad as u64).min(total))
            }));
        }
    }
    series
}

fn rules() -> RuleSet {
    let mut text = String::from(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: shop}\nspec:\n  service: shop\n  timeWindow: [{duration: 28d, \
         isRolling: true}]\n  indicator: {metadata: {name: i}, spec: {ratioMetric: {good: {metricSource: {type: goldentime, \
         spec: {signal: errors}}}, total: {metricSource: {type: goldentime, spec: {signal: errors}}}}}}\n  objectives: \
         [{target: 0.95}]\n  alertPolicies:\n    - metadata: {name: p}\n      spec:\n        conditions:\n",
    );
    let mut condition = |name: &str, window: &str, annotations: &str| {
        let _ = writeln!(
            text,
            "          - {{metadata: {{name: '{name}'{annotations}}}, spec: {{severity: page, condition: {{kind: burnrate, \
             op: gt, threshold: 2, lookbackWindow: {window}}}}}}}"
        );
    };
    for (window, _) in WINDOWS {
        condition(window, window, "");
    }
    condition("two", "5m", ", annotations: {goldentime.io/short_window: 30s}");
    let source = source(Path::new("slo.yaml"), text);
    RuleSet::compile(&[source]).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What the evaluator said: the share of good ones by rule at each second, and when the rule with two windows
/// began and ceased to fire.
struct Judged {
    shares: Vec<Vec<(String, f64)>>,
    fired: Vec<(i64, Option<i64>)>,
}

fn judge(series: &Series) -> Judged {
    let service = ServiceId::new("default", "default", "shop").expect("a valid name");
    let mut desk = Desk::new(&rules(), Second(START)).without_history();
    let mut shares = Vec::new();
    for (at, counted) in series.iter().enumerate() {
        let second = Second(START + at as i64);
        let cells = counted.map(|(total, bad)| {
            let mut cell = SecondCell::default();
            cell.total.counts = Counts { ok: total - bad, server_error: bad, ..Counts::default() };
            (service.clone(), cell)
        });
        desk.step(second, cells.as_slice());
        let statuses = desk.statuses();
        let exact = statuses.iter().filter_map(|status| {
            let sli = status.sli?;
            assert_eq!(sli.low.to_bits(), sli.high.to_bits(), "nothing is missing");
            Some((status.rule.trim_start_matches("shop/").to_owned(), sli.low))
        });
        shares.push(exact.collect());
    }
    let two = desk.episodes().iter().filter(|episode| episode.rule == "shop/two");
    let fired = two.map(|episode| (episode.fired.0 - START, episode.ended.map(|ended| ended.0 - START)));
    Judged { shares, fired: fired.collect() }
}

/// Total and bad of the window that ends with a second.
fn window(series: &Series, at: usize, seconds: usize) -> (u64, u64) {
    let from = (at + 1).saturating_sub(seconds);
    let counted = series[from..=at].iter().flatten();
    counted.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// When a rule over five minutes and thirty seconds fires, from the definition: when the share is above the limit
/// in both; it ends when it is not in one of them, and something was seen in both.
fn oracle(series: &Series) -> Vec<(i64, Option<i64>)> {
    let (mut fired, mut firing): (Vec<(i64, Option<i64>)>, bool) = (Vec::new(), false);
    for at in 0..series.len() {
        let windows = [300, 30].map(|seconds| window(series, at, seconds));
        let breaching = windows.iter().all(|(total, bad)| *total > 0 && *bad as f64 / *total as f64 > LIMIT);
        let all_seen = windows.iter().all(|(total, _)| *total > 0);
        if breaching && !firing {
            fired.push((at as i64, None));
            firing = true;
        } else if firing && !breaching && all_seen {
            fired.last_mut().expect("it fires").1 = Some(at as i64);
            firing = false;
        }
    }
    fired
}

#[test]
fn a_rule_over_two_windows_fires_when_the_definition_says_so() {
    let mut episodes = 0;
    for seed in 0..10 {
        let series = series(&mut StdRng::seed_from_u64(seed));
        let judged = judge(&series);
        assert_eq!(judged.fired, oracle(&series), "seed {seed}");
        episodes += judged.fired.len();
    }
    assert!(episodes > 20, "only {episodes}: the series are too calm to tell");
}

#[test]
fn shares_over_windows_are_those_of_promtool() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("skipped: there is no promtool (Debian's package prometheus)");
        return;
    }
    for seed in 100..103 {
        let mut rng = StdRng::seed_from_u64(seed);
        let series = series(&mut rng);
        let judged = judge(&series);
        let values = |of: fn((u64, u64)) -> u64| {
            let words = series.iter().map(|one| one.map_or_else(|| "_".into(), |one| of(one).to_string()));
            words.collect::<Vec<_>>().join(" ")
        };
        let mut test = format!(
            "rule_files: []\nevaluation_interval: 1s\ntests:\n  - interval: 1s\n    input_series:\n      - {{series: total, \
             values: '{}'}}\n      - {{series: bad, values: '{}'}}\n    promql_expr_test:\n",
            values(|(total, _)| total),
            values(|(_, bad)| bad),
        );
        let mut compared = 0;
        for _ in 0..150 {
            let any = rng.random_range(0..SECONDS);
            for (name, seconds) in WINDOWS {
                // Windows beyond 15 min are exact at the last second of each minute.
                let at = if seconds > 900 { any / 60 * 60 + 59 } else { any };
                let seen = window(&series, at, usize::try_from(seconds).expect("small")).0;
                let share = judged.shares[at].iter().find(|(rule, _)| rule == name);
                let (Some((_, share)), true) = (share, seen > 0) else { continue };
                // A range of this version holds both its ends.
                let range = seconds - 1;
                let _ = writeln!(
                    test,
                    "      - {{expr: 'round(1e9 * (1 - sum_over_time(bad[{range}s]) / sum_over_time(total[{range}s])))', \
                     eval_time: {at}s, exp_samples: [{{labels: '{{}}', value: {}}}]}}",
                    (share * 1e9).round()
                );
                compared += 1;
            }
        }
        assert!(compared > 500, "{compared}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("test.yaml");
        std::fs::write(&file, test).expect("written");
        let output =
            Command::new("promtool").args(["test", "rules"]).arg(&file).output().expect("promtool runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "seed {seed}: {}", told.chars().take(2_000).collect::<String>());
    }
}
