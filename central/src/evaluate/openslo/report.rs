//! What `rules check` prints.

use std::fmt::Write as _;
use std::path::Path;

use goldentime_model::indicator::{ANY, Selector, Side};
use goldentime_model::units::HumanDuration;

use super::super::rule::{Condition, GroupBy, Measure, Rule};
use super::rule_set::RuleSet;

/// A report and whether all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For a terminal, ends with a newline.
    pub text: String,
    /// The files would be loaded.
    pub valid: bool,
}

/// Checks a file or a folder, and says what it holds in words, or everything that is wrong with it.
///
/// Blocks on the file system.
#[must_use]
pub fn check(path: &Path) -> Report {
    if !path.exists() {
        let text = format!("{}: there is no such file or folder\n", path.display());
        return Report { text, valid: false };
    }
    let mut text = String::new();
    let set = match RuleSet::load(path) {
        Ok(set) => set,
        Err(faults) => {
            let count = faults.0.len();
            let plural = if count == 1 { "fault" } else { "faults" };
            let _ = writeln!(text, "{faults}\n\n{count} {plural}; nothing would be loaded");
            return Report { text, valid: false };
        }
    };
    for warning in &set.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for rule in &set.rules {
        let _ = writeln!(text, "{}\n    {}", rule.name, describe(rule));
    }
    let _ = writeln!(
        text,
        "{} rules of {} SLOs in {} files; {} warnings",
        set.rules.len(),
        set.slos.len(),
        set.files,
        set.warnings.len()
    );
    Report { text, valid: true }
}

/// A rule in one line: `order-api: more than 5% slower than 200ms over 10s, at once, page`.
#[must_use]
pub fn describe(rule: &Rule) -> String {
    let duration = |seconds: f64| HumanDuration(std::time::Duration::from_secs_f64(seconds)).to_string();
    let what = match (&rule.measure, rule.condition) {
        (Measure::Availability { bad }, Condition::BadShareAbove(share)) => {
            let bad: Vec<&str> = bad.iter().map(|outcome| outcome.as_str()).collect();
            format!("more than {} {}", percent(share), bad.join(" or "))
        }
        (Measure::Latency { threshold_s }, Condition::BadShareAbove(share)) => {
            format!("more than {} slower than {}", percent(share), duration(*threshold_s))
        }
        (Measure::Saturation { metric, threshold }, Condition::BadShareAbove(share)) => {
            format!("more than {} of the readings of {metric} above {threshold}", percent(share))
        }
        (Measure::Stray(straying), Condition::BadShareAbove(share)) => {
            let (of, threshold) = (straying.of.signal().as_str(), straying.threshold);
            let side = match straying.side {
                Side::Either => "from".to_owned(),
                side => side.as_str().to_owned(),
            };
            format!(
                "more than {} of the seconds with {of} straying {side} the usual by {threshold}",
                percent(share)
            )
        }
        (Measure::Shift(of), Condition::BadShareAbove(_)) => {
            format!("{} shifted from the usual", of.signal().as_str())
        }
        (_, Condition::RateBelow(floor)) => format!("fewer than {floor}/s"),
        (Measure::Traffic, Condition::BadShareAbove(share)) => {
            format!("more than {} missing", percent(share))
        }
    };
    let held = match rule.hold.as_secs() {
        0 => "at once".to_owned(),
        seconds => format!("for {}", duration(seconds as f64)),
    };
    let each = match rule.group_by {
        GroupBy::Service => "",
        GroupBy::Endpoint => ", each endpoint",
        GroupBy::Host => ", each host",
    };
    format!(
        "{}{each}: {what} over {}, {held}, {}",
        selected(&rule.selector),
        duration(f64::from(rule.window_s)),
        rule.labels.get(goldentime_model::alert::label::SEVERITY).map_or("", String::as_str)
    )
}

fn selected(selector: &Selector) -> String {
    let mut text = match selector.services.as_deref() {
        Some([all]) if all == ANY => "all services together".to_owned(),
        Some(services) => format!("{} together", services.join(" + ")),
        None => selector.service.clone().unwrap_or_else(|| "every service".into()),
    };
    let parts = [
        ("project", &selector.project),
        ("environment", &selector.environment),
        ("endpoint", &selector.endpoint),
        ("method", &selector.method),
        ("host", &selector.host),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

/// Six digits hide that "at or above" is held as the next number below.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e8).round() / 1e6)
}
