//! Multiwindow, multi-burn-rate alerts in one line: `goldentime.io/burn_rates`.

use goldentime_model::units::Shorthand;

/// The usual ones, for a period of thirty days (Google SRE Workbook, chapter 5): pages when 2% of the budget
/// is spent in an hour or 5% in six, tickets when 10% is in a day or as much in three.
const USUAL: &str = "14.4: 1h/5m page, 6: 6h/30m page, 3: 1d/2h ticket, 1: 3d/6h ticket";

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BurnRate {
    /// How many times too fast.
    pub(super) rate: f64,
    /// Over this window,
    pub(super) long: Shorthand,
    /// and over this one too.
    pub(super) short: Option<Shorthand>,
    pub(super) severity: String,
}

/// `default`, or `14.4: 1h/5m page, …`.
pub(super) fn parse(text: &str) -> Result<Vec<BurnRate>, String> {
    let text = if text.trim() == "default" { USUAL } else { text };
    let rates: Result<Vec<_>, _> =
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(one).collect();
    match rates {
        Ok(rates) if rates.is_empty() => Err(format!("is empty; write `default` or `{USUAL}`")),
        rates => rates,
    }
}

fn one(text: &str) -> Result<BurnRate, String> {
    let form = || {
        format!(
            "holds `{text}`; write `<burn rate>: <window>/<shorter window> <severity>`, such as `14.4: 1h/5m page`"
        )
    };
    let (rate, rest) = text.split_once(':').ok_or_else(form)?;
    let rate = rate.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    let mut words = rest.split_whitespace();
    let (Some(rate), Some(windows), severity, None) = (rate, words.next(), words.next(), words.next()) else {
        return Err(form());
    };
    let (long, short) = match windows.split_once('/') {
        Some((long, short)) => (long, Some(short)),
        None => (windows, None),
    };
    let window = |text: &str| text.parse::<Shorthand>().map_err(|error| error.to_string());
    Ok(BurnRate {
        rate,
        long: window(long)?,
        short: short.map(window).transpose()?,
        severity: severity.unwrap_or("page").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ones_are_four() {
        let rates = parse("default").expect("valid");
        let told: Vec<_> = rates
            .iter()
            .map(|one| format!("{} {}/{} {}", one.rate, one.long, one.short.expect("short"), one.severity))
            .collect();
        assert_eq!(told, ["14.4 1h/5m page", "6 6h/30m page", "3 1d/2h ticket", "1 3d/6h ticket"]);
    }

    #[test]
    fn what_is_none_says_how_one_is_written() {
        assert_eq!(parse("2: 10m").expect("valid")[0].short, None);
        for text in ["fast", "x: 1h/5m page", "-1: 1h", "2:", "2: 1h page now", " "] {
            assert!(parse(text).expect_err("refused").contains("write"), "{text}");
        }
        assert!(parse("2: 1x/5m").expect_err("refused").contains("unknown unit"));
    }
}
