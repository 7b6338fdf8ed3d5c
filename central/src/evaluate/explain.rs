//! A finding in words: the window's value with its bounds, and which hosts and endpoints it comes from.

use std::time::Duration;

use goldentime_model::indicator::{Compared, Straying};
use goldentime_model::{Alert, Labels};
use goldentime_windows::SecondCell;

use super::blame::{Blame, Culprit, blame, contributions, culprit, percent, services_of};
use super::detect::Shifted;
use super::engine::Subject;
use super::project::Projection;
use super::ring::Tally;
use super::rule::{Condition, Measure};
use super::several::group::Across;
use super::transition::Change;

/// Annotation that says why an alert was closed when it was not by getting better.
pub const RESOLVED_BECAUSE: &str = "resolved_because";

/// How far back a long window is looked into for where its bad events come from, in seconds.
pub const EXPLAINED_S_MAX: u32 = 60;

/// Writes into the alert's annotations what the rule judged, and what `cells`, the seconds of the
/// subject's window that are at hand, say of where it comes from. Cells may be missing: the value is the
/// judged one all the same.
///
/// Annotations of the rule's author are kept; `summary` is only written where there is none.
/// Of a rule over several services `cells` are those of the worst of them, and `services` and `service` are set too.
/// Sets `value`, `value_ko`, `window`, `hosts`, `endpoints`, `host` (where one host is to blame), `p50`, `p95`,
/// `p99` for latency rules, `summary` and `summary_ko`.
pub fn annotate(alert: &mut Alert, change: Change, subject: &Subject, cells: &[SecondCell]) {
    let projection = &subject.projection;
    let rule = projection.rule();
    let blame = blame(projection, &subject.part, cells);
    let window = duration(Duration::from_secs(u64::from(rule.window_s)));
    let value = match &rule.measure {
        Measure::Stray(straying) => stray_value(straying, subject, &blame, cells.len()),
        Measure::Shift(_) => shift_value(subject, change),
        _ => value_of(projection, subject.judged, blame.worst_reading.as_ref()),
    };
    let mut facts = Labels::new();
    facts.insert("value".into(), value.english.clone());
    facts.insert("value_ko".into(), value.korean.clone());
    facts.insert("window".into(), window.clone());
    let culprit_host = culprit(&blame.hosts, &blame.whole);
    if let Some((host, _)) = culprit_host {
        facts.insert("host".into(), host.to_owned());
    }
    let across = subject.across.as_ref().map(services_of);
    if let Some(services) = &across {
        if let Some((service, _)) = culprit(services, &subject.judged) {
            facts.insert("service".into(), service.to_owned());
        }
        let told = contributions(services, &subject.judged);
        if !told.is_empty() {
            facts.insert("services".into(), told);
        }
    }
    for (name, parts) in [("hosts", &blame.hosts), ("endpoints", &blame.endpoints)] {
        let told = contributions(parts, &blame.whole);
        if !told.is_empty() {
            facts.insert(name.into(), told);
        }
    }
    // Of many services only the worst are looked into: quantiles of these are none of the whole.
    let all_at_hand = subject.across.as_ref().is_none_or(Across::names_all);
    if matches!(rule.measure, Measure::Latency { .. }) && all_at_hand {
        for (name, quantile) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            if let Some(seconds) = blame.latency.latency.quantile(quantile) {
                facts.insert(name.into(), format!("{} ±0.54%", seconds_text(seconds)));
            }
        }
    }
    let subject_name = subject_name(alert);
    let from =
        match (&across, &subject.across) {
            (Some(services), Some(across)) => culprit(services, &subject.judged).map(|(name, share)| {
                Culprit { kind: ("service", "서비스", "개"), name, share, of: across.services as usize }
            }),
            _ => culprit_host.map(|(name, share)| Culprit {
                kind: ("host", "호스트", "대"),
                name,
                share,
                of: blame.hosts.len(),
            }),
        };
    let (english, korean) = summaries(projection, change, &subject_name, &value, &window, from);
    // What the rule says itself is for readers of both languages unless it says it in both.
    let has = |name| rule.annotations.contains_key(name);
    if !has("summary") && !has("summary_ko") {
        facts.insert("summary_ko".into(), korean);
    }
    if !has("summary") {
        facts.insert("summary".into(), english);
    }
    alert.annotations.extend(facts);
}

/// The same words in both languages.
struct Words {
    english: String,
    korean: String,
}

fn value_of(projection: &Projection, judged: Tally, worst_reading: Option<&(String, f64)>) -> Words {
    let Tally { seen, bad_low, bad_high } = judged;
    let rule = projection.rule();
    let share = |bad: u64| percent(bad as f64 / seen.max(1) as f64);
    let (low, high) = (share(bad_low), share(bad_high));
    match (&rule.measure, rule.condition) {
        (Measure::Traffic, Condition::RateBelow(floor)) => {
            let rate = seen as f64 / f64::from(rule.window_s);
            Words {
                english: format!("{rate:.2} requests/s, floor {floor} requests/s"),
                korean: format!("초당 요청 {rate:.2}건, 하한 {floor}건"),
            }
        }
        (Measure::Latency { threshold_s }, _) => {
            let threshold = seconds_text(*threshold_s);
            let (shares, counts) = if bad_low == bad_high {
                (high, bad_high.to_string())
            } else {
                (format!("{low} to {high}"), format!("{bad_low} to {bad_high}"))
            };
            Words {
                english: format!("{shares} of requests slower than {threshold} ({counts} of {seen})"),
                korean: format!(
                    "요청의 {}가 {threshold} 초과 ({seen}건 중 {}건)",
                    shares.replace(" to ", "~"),
                    counts.replace(" to ", "~")
                ),
            }
        }
        (Measure::Saturation { metric, threshold }, _) => match worst_reading {
            Some((name, reading)) => Words {
                english: format!(
                    "{name} at {reading:.3}, limit {threshold}; {bad_high} of {seen} readings above"
                ),
                korean: format!("{name} {reading:.3}, 한도 {threshold}; 측정 {seen}회 중 {bad_high}회 초과"),
            },
            None => Words {
                english: format!("{metric}: {bad_high} of {seen} readings above {threshold}"),
                korean: format!("{metric}: 측정 {seen}회 중 {bad_high}회 {threshold} 초과"),
            },
        },
        _ => Words {
            english: format!("{high} of requests bad ({bad_high} of {seen})"),
            korean: format!("요청의 {high} 실패 ({seen}건 중 {bad_high}건)"),
        },
    }
}

/// What was compared as it was in the window and as it is usually, and how many seconds strayed.
fn stray_value(straying: &Straying, subject: &Subject, blame: &Blame, seconds: usize) -> Words {
    let (whole, usual) = (blame.whole, subject.usual);
    let (english, korean, now, usually) = match &straying.of {
        Compared::Errors { .. } => {
            let now = whole.bad_high as f64 / whole.seen.max(1) as f64;
            ("of requests bad", "요청 실패", percent(now), usual.map(|usual| percent(usual.mean)))
        }
        Compared::Latency { quantile } => {
            let now = blame.latency.latency.quantile(*quantile).map_or_else(|| "?".into(), seconds_text);
            ("latency", "지연 시간", now, usual.map(|usual| seconds_text(usual.median.exp())))
        }
        Compared::Traffic => {
            let now = whole.seen as f64 / seconds.max(1) as f64;
            (
                "requests/s",
                "초당 요청",
                format!("{now:.1}"),
                usual.map(|usual| format!("{:.1}", usual.median)),
            )
        }
        Compared::Saturation { metric } => {
            let now = blame.worst_reading.as_ref().map_or_else(|| "?".into(), |(_, now)| format!("{now:.3}"));
            (metric.as_str(), metric.as_str(), now, usual.map(|usual| format!("{:.3}", usual.median)))
        }
    };
    let usually = usually.unwrap_or_else(|| "?".into());
    let Tally { seen, bad_high, .. } = subject.judged;
    Words {
        english: format!("{now} {english}, usually {usually}; {bad_high} of {seen} s stray"),
        korean: format!("{korean} {now}, 평소 {usually}; {seen}초 중 {bad_high}초 이탈"),
    }
}

/// From what to what the share moved, and since when.
fn shift_value(subject: &Subject, change: Change) -> Words {
    let Some(Shifted { moved, slower_than_s }) = &subject.shifted else {
        return Words { english: "? of requests bad".to_owned(), korean: "요청 실패 ?".to_owned() };
    };
    let (now, usual) = (percent(moved.now), percent(moved.usual));
    let since = jiff::Timestamp::from_second(moved.since).map_or_else(|_| "?".into(), |at| at.to_string());
    let (what, what_ko) = match slower_than_s.map(seconds_text) {
        Some(seconds) => (format!("slower than {seconds}"), format!("{seconds} 초과 요청")),
        None => ("bad".to_owned(), "요청 실패".to_owned()),
    };
    if change == Change::Resolved {
        return Words {
            english: format!("back at the usual {usual} of requests {what}, from {now}"),
            korean: format!("{what_ko} {now}에서 평소 {usual}로 복귀"),
        };
    }
    Words {
        english: format!("{now} of requests {what} since {since}, usually {usual}"),
        korean: format!("{since}부터 {what_ko} {now}, 평소 {usual}"),
    }
}

fn summaries(
    projection: &Projection,
    change: Change,
    subject: &str,
    value: &Words,
    window: &str,
    culprit: Option<Culprit<'_>>,
) -> (String, String) {
    let Words { english, korean } = value;
    let (limit, limit_ko) = match projection.rule().condition {
        _ if matches!(projection.rule().measure, Measure::Stray(_) | Measure::Shift(_)) => {
            (String::new(), String::new())
        }
        Condition::BadShareAbove(limit) => {
            (format!(", limit {}", percent(limit)), format!(", 한도 {}", percent(limit)))
        }
        Condition::RateBelow(_) => (String::new(), String::new()),
    };
    // A shift has a beginning and no window.
    let (over, over_ko) = match projection.rule().measure {
        Measure::Shift(_) => (String::new(), String::new()),
        _ => (format!(" over {window}"), format!("최근 {window} 동안 ")),
    };
    if change == Change::Resolved {
        return (
            format!("{subject} is healthy again: {english}{over}"),
            format!("{subject} 정상 복구: {over_ko}{korean}"),
        );
    }
    let (mut from, mut from_ko) = (String::new(), String::new());
    if let Some(Culprit { kind: (kind, kind_ko, counter), name, share, of }) = culprit {
        let share = percent(share);
        from = format!("; {kind} {name} of {of} causes {share} of it");
        from_ko = format!("; {kind_ko} {of}{counter} 중 {name}에서 {share} 발생");
    }
    (
        format!("{subject}: {english}{over}{limit}{from}"),
        format!("{subject} 이상: {over_ko}{korean}{limit_ko}{from_ko}"),
    )
}

/// What the alert is about, as its labels name it.
fn subject_name(alert: &Alert) -> String {
    use goldentime_model::alert::label;
    let get = |name| alert.labels.get(name).map(String::as_str);
    let service = get(label::SERVICE).or_else(|| get(label::SLO)).unwrap_or_default();
    match (get(label::METHOD), get(label::ENDPOINT), get(label::HOST)) {
        (Some(method), Some(endpoint), _) => format!("{service} {method} {endpoint}"),
        (_, _, Some(host)) if !service.ends_with(host) => format!("{service} on {host}"),
        _ => service.to_owned(),
    }
}

fn seconds_text(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        whole if whole >= 60 && whole.is_multiple_of(60) => format!("{} min", whole / 60),
        whole => format!("{whole} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use goldentime_model::{AlertStatus, Fingerprint, Outcome, Second, Severity, StageTimes, UnixNanos};
    use goldentime_windows::Aggregate;

    use super::super::project::Part;
    use super::super::testing::rule;
    use super::*;

    fn alert() -> Alert {
        let labels = Labels::from([("service".into(), "shop".into()), ("alertname".into(), "errors".into())]);
        Alert {
            fingerprint: Fingerprint::of(&labels),
            episode: "e".into(),
            status: AlertStatus::Firing,
            severity: Severity::Critical,
            labels,
            annotations: Labels::new(),
            first_breach: Second(1),
            starts_at: UnixNanos(0),
            ends_at: None,
            stages: StageTimes::default(),
        }
    }

    fn twenty_hosts_one_bad() -> SecondCell {
        let mut cell = SecondCell::default();
        for host in 0..20 {
            let mut aggregate = Aggregate::default();
            aggregate.counts.add_outcome(Outcome::Ok, 90);
            aggregate.counts.add_outcome(Outcome::ServerError, if host == 7 { 60 } else { 0 });
            cell.total.counts.add(&aggregate.counts);
            cell.hosts.insert(format!("web-{host:02}").into(), aggregate);
        }
        cell
    }

    #[test]
    fn of_twenty_hosts_one_turned_bad_and_the_alert_names_it() {
        let errors = rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] });
        let subject = Subject {
            projection: Arc::new(Projection::new(Arc::new(errors))),
            part: Part::Service,
            until: Second(10),
            judged: Tally { seen: 3720, bad_low: 120, bad_high: 120 },
            usual: None,
            shifted: None,
            across: None,
        };
        let mut alert = alert();
        annotate(&mut alert, Change::Fired, &subject, &[twenty_hosts_one_bad(), twenty_hosts_one_bad()]);
        assert_eq!(alert.annotations["host"], "web-07");
        assert_eq!(alert.annotations["hosts"], "web-07: 120 of 300 bad (100.0% of all bad)");
        assert!(alert.annotations["summary"].contains("host web-07 of 20 causes 100.0% of it"));
        assert!(alert.annotations["summary_ko"].contains("호스트 20대 중 web-07"));
        let is_english = |word: &str| alert.annotations["summary_ko"].contains(word);
        assert!(
            !["request", "bad", " of "].into_iter().any(is_english),
            "{}",
            alert.annotations["summary_ko"]
        );
    }

    #[test]
    fn a_summary_that_the_author_wrote_is_kept() {
        let mut errors = rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] });
        errors.annotations.insert("summary".into(), "Orders fail".into());
        let mut alert = alert();
        alert.annotations = errors.annotations.clone();
        let projection = Arc::new(Projection::new(Arc::new(errors)));
        let judged = Tally::default();
        let subject = Subject {
            projection,
            part: Part::Service,
            until: Second(10),
            judged,
            usual: None,
            shifted: None,
            across: None,
        };
        annotate(&mut alert, Change::Fired, &subject, &[twenty_hosts_one_bad()]);
        assert_eq!(alert.annotations["summary"], "Orders fail");
    }

    #[test]
    fn what_strays_is_told_beside_what_is_usual() {
        let of = Compared::Errors { bad: vec![Outcome::ServerError] };
        let straying = Straying { of, side: goldentime_model::indicator::Side::Above, threshold: 6.0 };
        let mut surge = rule("surge", Measure::Stray(straying));
        surge.window_s = 5;
        let usual = super::super::stray::Usual { median: 0.0, scale: 0.001, mean: 0.002 };
        let subject = Subject {
            projection: Arc::new(Projection::new(Arc::new(surge))),
            part: Part::Service,
            until: Second(10),
            judged: Tally { seen: 5, bad_low: 4, bad_high: 4 },
            usual: Some(usual),
            shifted: None,
            across: None,
        };
        let mut alert = alert();
        annotate(&mut alert, Change::Fired, &subject, &[twenty_hosts_one_bad()]);
        assert_eq!(
            alert.annotations["summary"],
            "shop: 3.2% of requests bad, usually 0.2%; 4 of 5 s stray over 5 s; host web-07 of 20 causes 100.0% of it"
        );
        assert!(alert.annotations["summary_ko"].contains("요청 실패 3.2%, 평소 0.2%; 5초 중 4초 이탈"));
    }

    #[test]
    fn a_shift_is_told_from_what_to_what_and_since_when() {
        use goldentime_detect::Moved;
        let moved = Moved { usual: 0.05, now: 0.4, since: 1_700_000_000 };
        let mut subject = Subject {
            projection: Arc::new(Projection::new(Arc::new(rule(
                "slow",
                Measure::Shift(Compared::Latency { quantile: 0.95 }),
            )))),
            part: Part::Service,
            until: Second(10),
            judged: Tally::default(),
            usual: None,
            shifted: Some(Shifted { moved, slower_than_s: Some(0.182) }),
            across: None,
        };
        let mut alert = alert();
        annotate(&mut alert, Change::Fired, &subject, &[]);
        assert_eq!(
            alert.annotations["summary"],
            "shop: 40.0% of requests slower than 182.0 ms since 2023-11-14T22:13:20Z, usually 5.0%"
        );
        assert_eq!(
            alert.annotations["summary_ko"],
            "shop 이상: 2023-11-14T22:13:20Z부터 182.0 ms 초과 요청 40.0%, 평소 5.0%"
        );
        subject.shifted = Some(Shifted { moved, slower_than_s: None });
        annotate(&mut alert, Change::Resolved, &subject, &[]);
        let summary = &alert.annotations["summary"];
        assert_eq!(summary, "shop is healthy again: back at the usual 5.0% of requests bad, from 40.0%");
        assert_eq!(alert.annotations["summary_ko"], "shop 정상 복구: 요청 실패 40.0%에서 평소 5.0%로 복귀");
    }

    #[test]
    fn a_value_is_the_judged_one_though_no_cell_could_be_read() {
        let mut floor = rule("svc-floor", Measure::Traffic);
        (floor.condition, floor.window_s) = (Condition::RateBelow(10.0), 5);
        let projection = Arc::new(Projection::new(Arc::new(floor)));
        let judged = Tally { seen: 60, ..Tally::default() };
        let subject = Subject {
            projection,
            part: Part::Service,
            until: Second(10),
            judged,
            usual: None,
            shifted: None,
            across: None,
        };
        let mut alert = alert();
        annotate(&mut alert, Change::Resolved, &subject, &[]);
        let summary = &alert.annotations["summary"];
        assert_eq!(summary, "shop is healthy again: 12.00 requests/s, floor 10 requests/s over 5 s");
    }
}
