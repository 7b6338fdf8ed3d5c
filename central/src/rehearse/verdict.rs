//! Whether things stand as a test expects.

use goldentime_model::Interval;

use super::cases::{Budget, Expected, Firing};
use super::desk::{Desk, Episode};
use crate::evaluate::budget::BudgetStatus;

/// What is rounded in a file is no difference.
const TOLERANCE: f64 = 1e-6;

/// Adds to `wrong` what is not as expected.
pub(super) fn compare(expected: &Expected, desk: &Desk, wrong: &mut Vec<String>) {
    let at = expected.at;
    if let Some(firing) = &expected.firing {
        compare_firing(firing, &desk.firing(), |message| wrong.push(format!("at {at}: {message}")));
    }
    for budget in &expected.budgets {
        compare_budget(budget, desk, |message| {
            wrong.push(format!("at {at}: budget of `{}`: {message}", budget.objective));
        });
    }
}

fn compare_firing(expected: &[Firing], firing: &[&Episode], mut wrong: impl FnMut(String)) {
    let mut left: Vec<&&Episode> = firing.iter().collect();
    for one in expected {
        let is = |episode: &&&Episode| {
            episode.rule == one.rule
                && one.labels.iter().all(|(name, value)| episode.labels.get(name) == Some(value))
        };
        match left.iter().position(is) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => {
                let labels = one.labels.iter().map(|(name, value)| format!(" {name}={value}"));
                wrong(format!("`{}`{} does not fire", one.rule, labels.collect::<String>()));
            }
        }
    }
    for episode in left {
        wrong(format!("`{}` fires and is not expected: {}", episode.rule, episode.summary));
    }
}

fn compare_budget(expected: &Budget, desk: &Desk, mut wrong: impl FnMut(String)) {
    let statuses = desk.statuses();
    let of_service = |service: &str, id: &str| service == id || id.rsplit('/').next() == Some(service);
    let mut budgets = statuses.iter().filter(|status| {
        let wanted = expected.service.as_deref();
        wanted.is_none_or(|wanted| of_service(wanted, &status.service.to_string()))
    });
    let budget = budgets
        .find_map(|status| status.budget.as_ref().filter(|budget| *budget.objective == *expected.objective));
    let Some(BudgetStatus { events, bad, sli, left, burn_rate, .. }) = budget else {
        return wrong("there is none".into());
    };
    let exact = |value: f64| Some(Interval::exact(value));
    let compared = [
        ("events", expected.events, exact(*events)),
        ("bad", expected.bad, Some(*bad)),
        ("sli", expected.sli, *sli),
        ("left", expected.left, *left),
        ("burn_rate", expected.burn_rate, burn_rate.map(Interval::exact)),
    ];
    for (name, wanted, is) in compared {
        let Some(wanted) = wanted else { continue };
        match is {
            None => wrong(format!("{name} is not known, {wanted} expected")),
            Some(Interval { low, high }) if wanted < low - TOLERANCE || wanted > high + TOLERANCE => {
                let is = if low == high { low.to_string() } else { format!("{low} to {high}") };
                wrong(format!("{name} is {is}, {wanted} expected"));
            }
            Some(_) => {}
        }
    }
}
