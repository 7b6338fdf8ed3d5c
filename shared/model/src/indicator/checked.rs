//! What an indicator means, and which combinations of fields mean nothing.

use super::spec::{By, IndicatorSpec, Selector, Signal, Threshold};
use super::straying::{Compared, STRAY_QUANTILE, STRAY_THRESHOLD, STRAY_THRESHOLDS, Side, Straying};
use super::{ANY, ANY_HOST_SERVICE};
use crate::Outcome;
use crate::identity::{HOST_SERVICE_PREFIX, check_name};
use crate::units::{ByteSize, HumanDuration, Rate, Ratio};

/// Longest threshold of a latency: what takes longer than an hour is no request.
const LATENCY_SECONDS_MAX: f64 = 3600.0;

/// Most services that one indicator may name.
const SERVICES_MAX: usize = 200;

/// An indicator that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicator {
    /// Series that are measured.
    pub selector: Selector,
    /// One alert for each of these instead of one for the whole selection.
    pub by: Option<By>,
    /// What is measured.
    pub measured: Measured,
}

/// What is measured. A threshold may be absent here, because it may stand in the objective.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Requests that end badly.
    Errors {
        /// Outcomes that are bad; neither empty nor all of them.
        bad: Vec<Outcome>,
    },
    /// Requests that take longer than the threshold.
    Latency {
        /// In seconds.
        threshold_s: Option<f64>,
        /// Judges this quantile instead of the objective's target; above 0 and below 1.
        quantile: Option<f64>,
    },
    /// Requests per second.
    Traffic {
        /// In requests per second.
        floor_per_s: Option<f64>,
    },
    /// Readings of a gauge that are above the threshold.
    Saturation {
        /// `name` or `name{label="value"}`, labels sorted.
        metric: String,
        /// In the metric's own unit.
        threshold: Option<f64>,
    },
    /// Seconds that stray from what is usual.
    Stray(Straying),
    /// That a share of requests, of errors or of slow ones, left the service's own recent level.
    Shift(Compared),
}

/// A field that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldFault {
    /// The field within the spec, as `selector.host`.
    pub field: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl IndicatorSpec {
    /// Checks what the types cannot say. Tells everything that is wrong.
    pub fn check(&self) -> Result<Indicator, Vec<FieldFault>> {
        let mut faults = Faults(Vec::new());
        faults.selector(&self.selector, self.signal, self.by);
        self.refuse_foreign_fields(&mut faults);
        faults.services(self);
        let measured = self.measured(&mut faults);
        match measured {
            Some(measured) if faults.0.is_empty() => {
                Ok(Indicator { selector: self.selector.clone(), by: self.by, measured })
            }
            _ => Err(faults.0),
        }
    }

    /// Each field belongs to some signals only; beside another it would be silently without effect.
    fn refuse_foreign_fields(&self, faults: &mut Faults) {
        let signal = self.signal.as_str();
        let mut foreign = |given: bool, field: &str, belongs: &str| {
            if given {
                faults
                    .add(field, format!("has no meaning for the signal `{signal}`; it belongs to {belongs}"));
            }
        };
        foreign(self.good.is_some() && self.signal != Signal::Errors, "good", "`errors`");
        foreign(self.quantile.is_some() && self.signal != Signal::Latency, "quantile", "`latency`");
        foreign(self.metric.is_some() && self.signal != Signal::Saturation, "metric", "`saturation`");
        foreign(
            self.threshold.is_some() && self.signal == Signal::Errors && self.stray.is_none(),
            "threshold",
            "`latency`, `traffic` and `saturation`; the share of errors allowed is 1 − target of the objective",
        );
        if self.shift {
            self.refuse_beside_shift(faults);
        }
        if self.stray.is_some() && self.by.is_some() {
            faults
                .add("by", "cannot stand beside `stray`: what is usual is known of the selection as a whole");
        }
    }

    fn refuse_beside_shift(&self, faults: &mut Faults) {
        let others = [
            (
                "stray",
                self.stray.is_some(),
                "both compare with what is usual, each in its way: give one of the two",
            ),
            ("threshold", self.threshold.is_some(), "what is usual takes the place of a value; leave it out"),
            ("by", self.by.is_some(), "what is usual is known of the selection as a whole"),
            (
                "selector.services",
                self.selector.services.is_some(),
                "what is usual is known of each service by itself",
            ),
        ];
        for (field, _, why) in others.into_iter().filter(|(_, is_given, _)| *is_given) {
            faults.add(field, format!("cannot stand beside `shift`: {why}"));
        }
    }

    fn measured(&self, faults: &mut Faults) -> Option<Measured> {
        if self.shift {
            return self.shifting(faults).map(Measured::Shift);
        }
        if let Some(side) = self.stray {
            return self.straying(side, faults).map(Measured::Stray);
        }
        match self.signal {
            Signal::Errors => Some(Measured::Errors { bad: self.bad_outcomes(faults) }),
            Signal::Latency => {
                self.check_quantile(faults);
                let threshold_s = faults.threshold(self.threshold.as_ref(), |text| {
                    let seconds =
                        text.parse::<HumanDuration>().map_err(|e| e.to_string())?.get().as_secs_f64();
                    if seconds > 0.0 && seconds <= LATENCY_SECONDS_MAX {
                        Ok(seconds)
                    } else {
                        Err(format!("`{text}` is out of range: more than 0 and at most 1h"))
                    }
                });
                Some(Measured::Latency { threshold_s, quantile: self.quantile })
            }
            Signal::Traffic => {
                let floor_per_s = faults.threshold(self.threshold.as_ref(), |text| {
                    let rate = text.parse::<Rate>().map_err(|e| e.to_string())?.get();
                    if rate > 0.0 { Ok(rate) } else { Err("a floor of 0 is never undercut".into()) }
                });
                Some(Measured::Traffic { floor_per_s })
            }
            Signal::Saturation => {
                let metric = self.metric(faults)?;
                let threshold = faults.threshold(self.threshold.as_ref(), parse_reading);
                Some(Measured::Saturation { metric, threshold })
            }
        }
    }

    fn shifting(&self, faults: &mut Faults) -> Option<Compared> {
        match self.signal {
            Signal::Errors => Some(Compared::Errors { bad: self.bad_outcomes(faults) }),
            Signal::Latency => {
                self.check_quantile(faults);
                Some(Compared::Latency { quantile: self.quantile.unwrap_or(STRAY_QUANTILE) })
            }
            Signal::Traffic | Signal::Saturation => {
                let message = "is for `errors` and `latency`, which are shares of requests; write `stray`";
                faults.add("shift", message);
                None
            }
        }
    }

    fn straying(&self, side: Side, faults: &mut Faults) -> Option<Straying> {
        let of = match self.signal {
            Signal::Errors => Compared::Errors { bad: self.bad_outcomes(faults) },
            Signal::Latency => {
                self.check_quantile(faults);
                Compared::Latency { quantile: self.quantile.unwrap_or(STRAY_QUANTILE) }
            }
            Signal::Traffic => Compared::Traffic,
            Signal::Saturation => Compared::Saturation { metric: self.metric(faults)? },
        };
        let threshold = faults.threshold(self.threshold.as_ref(), |text| {
            let [least, most] = STRAY_THRESHOLDS;
            match text.parse::<f64>() {
                Ok(threshold) if (least..=most).contains(&threshold) => Ok(threshold),
                _ => Err(format!(
                    "`{text}` is no number from {least} to {most}; beside `stray` it says how far"
                )),
            }
        });
        Some(Straying { of, side, threshold: threshold.unwrap_or(STRAY_THRESHOLD) })
    }

    fn check_quantile(&self, faults: &mut Faults) {
        if let Some(quantile) = self.quantile.filter(|q| !(*q > 0.0 && *q < 1.0)) {
            faults.add("quantile", format!("{quantile} is not between 0 and 1; write p95 as 0.95"));
        }
    }

    fn metric(&self, faults: &mut Faults) -> Option<String> {
        let Some(metric) = &self.metric else {
            faults
                .add("metric", "is missing; `saturation` needs the metric, such as `system.cpu.utilization`");
            return None;
        };
        canonical_metric(metric).map_err(|message| faults.add("metric", message)).ok()
    }

    fn bad_outcomes(&self, faults: &mut Faults) -> Vec<Outcome> {
        let bad: Vec<Outcome> = match &self.good {
            None => Outcome::ALL.into_iter().filter(|outcome| outcome.is_bad()).collect(),
            Some(good) => Outcome::ALL.into_iter().filter(|one| !good.outcomes.contains(one)).collect(),
        };
        if bad.is_empty() {
            faults.add("good.outcomes", "holds every outcome, so that nothing could be bad; leave one out");
        } else if bad.len() == Outcome::ALL.len() {
            faults.add("good.outcomes", "is empty, so that every request would be bad; name `ok` at least");
        }
        bad
    }
}

impl Signal {
    /// Name as written in files and over the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Errors => "errors",
            Self::Traffic => "traffic",
            Self::Saturation => "saturation",
        }
    }
}

struct Faults(Vec<FieldFault>);

impl Faults {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldFault { field: field.into(), message: message.into() });
    }

    fn threshold(
        &mut self,
        written: Option<&Threshold>,
        parse: impl FnOnce(&str) -> Result<f64, String>,
    ) -> Option<f64> {
        parse(&written?.0).map_err(|message| self.add("threshold", message)).ok()
    }

    /// Several services together are a sum of requests; what has no such sum is refused.
    fn services(&mut self, spec: &IndicatorSpec) {
        let Some(services) = &spec.selector.services else { return };
        if spec.selector.service.is_some() {
            self.add(
                "selector.services",
                "stands beside `service`; `services` judges all of them together, `service` each by itself: \
                 give one of the two",
            );
        }
        for (at, name) in services.iter().enumerate() {
            let field = format!("selector.services[{at}]");
            if name == ANY {
                if services.len() > 1 {
                    self.add(&field, "stands for every service and leaves nothing to name beside it");
                }
            } else if name.starts_with(HOST_SERVICE_PREFIX) {
                self.add(&field, "names a host, which takes no requests; hosts have `saturation` only");
            } else if let Err(message) = check_part(name, false) {
                self.add(&field, message);
            } else if services[..at].contains(name) {
                self.add(&field, format!("names `{name}` a second time; its requests count once"));
            }
        }
        match services.as_slice() {
            [] => self.add("selector.services", "is empty; name two services at least, or `['*']`"),
            [one] if one != ANY => {
                self.add("selector.services", format!("names one service only; write `service: {one}`"));
            }
            _ if services.len() > SERVICES_MAX => self.add(
                "selector.services",
                format!("names {} services; {SERVICES_MAX} are allowed", services.len()),
            ),
            _ => {}
        }
        if spec.signal == Signal::Saturation {
            self.add(
                "selector.services",
                "has no meaning for `saturation`: readings of several services have no sum; write `service`",
            );
        }
        if spec.by.is_some() {
            self.add("by", "cannot stand beside `selector.services`: all of them make one alert together");
        }
        if spec.stray.is_some() {
            self.add(
                "stray",
                "cannot stand beside `selector.services`: what is usual is known of each service by itself",
            );
        }
    }

    fn selector(&mut self, selector: &Selector, signal: Signal, by: Option<By>) {
        let parts = [
            ("selector.project", &selector.project),
            ("selector.environment", &selector.environment),
            ("selector.service", &selector.service),
            ("selector.host", &selector.host),
        ];
        for (field, part) in parts {
            let Some(part) = part.as_deref() else { continue };
            if let Err(message) = check_part(part, field == "selector.service") {
                self.add(field, message);
            }
        }
        let by_endpoint = selector.endpoint.is_some() || selector.method.is_some();
        if selector.host.is_some() && by_endpoint {
            self.add(
                "selector.host",
                "cannot stand beside `endpoint` or `method`: totals are kept by host and by endpoint, not by both",
            );
        }
        match by {
            Some(By::Endpoint) if selector.host.is_some() => {
                self.add("by", "`endpoint` cannot stand beside `selector.host`: totals are not kept by both");
            }
            Some(By::Host) if by_endpoint => {
                self.add(
                    "by",
                    "`host` cannot stand beside `selector.endpoint` or `method`: totals are not kept by both",
                );
            }
            Some(_) if signal == Signal::Saturation => {
                self.add(
                    "by",
                    "has no meaning for `saturation`: each host is a service of its own, select `host:*`",
                );
            }
            _ => {}
        }
        let hosts = selector.service.as_deref().is_some_and(|name| name.starts_with(HOST_SERVICE_PREFIX));
        if signal == Signal::Saturation && by_endpoint {
            self.add(
                "selector.endpoint",
                "has no meaning for `saturation`: readings belong to a host or service",
            );
        }
        if signal != Signal::Saturation && hosts {
            self.add(
                "selector.service",
                "names a host, which takes no requests; hosts have `saturation` only",
            );
        }
    }
}

/// Checks a service as selectors name it: an exact name, `*` or `host:*`.
pub fn check_service(name: &str) -> Result<(), String> {
    check_part(name, true)
}

fn check_part(part: &str, is_service: bool) -> Result<(), String> {
    if part == ANY || (is_service && part == ANY_HOST_SERVICE) {
        return Ok(());
    }
    check_name(part).map_err(|error| error.to_string())?;
    if part.contains('*') {
        return Err(format!("`{part}` is no exact name; patterns are `*` alone and `{ANY_HOST_SERVICE}`"));
    }
    Ok(())
}

/// A reading of a gauge: a plain number, a share (`90%`), a size, a duration (in seconds) or a rate
/// (per second).
pub fn parse_reading(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let read = number
        .or_else(|| text.ends_with('%').then(|| text.parse::<Ratio>().ok().map(Ratio::get)).flatten())
        .or_else(|| text.parse::<ByteSize>().ok().map(|size| size.get() as f64))
        .or_else(|| text.parse::<HumanDuration>().ok().map(|duration| duration.get().as_secs_f64()))
        .or_else(|| text.parse::<Rate>().ok().map(Rate::get));
    read.ok_or_else(|| {
        format!("`{text}` is no reading; write for example `0.9`, `90%`, `512MiB`, `20ms` or `100/s`")
    })
}

/// `name` or `name{a="b",c="d"}` with its labels sorted, as windows keep their readings.
fn canonical_metric(written: &str) -> Result<String, String> {
    let refused = || format!("`{written}` is not of the form `name` or `name{{label=\"value\"}}`");
    let (name, labels) = match written.trim().split_once('{') {
        None => (written.trim(), ""),
        Some((name, rest)) => (name.trim(), rest.strip_suffix('}').ok_or_else(refused)?),
    };
    if name.is_empty()
        || name.contains(|c: char| c.is_whitespace() || matches!(c, '}' | '"' | '=' | ',' | '*'))
    {
        return Err(refused());
    }
    let mut pairs = Vec::new();
    for label in labels.split(',').map(str::trim).filter(|label| !label.is_empty()) {
        let (label_name, value) = label.split_once('=').ok_or_else(refused)?;
        let value = value.trim().strip_prefix('"').and_then(|v| v.strip_suffix('"')).ok_or_else(refused)?;
        if label_name.trim().is_empty() || value.contains('"') {
            return Err(refused());
        }
        pairs.push(format!("{}=\"{value}\"", label_name.trim()));
    }
    pairs.sort();
    Ok(if pairs.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", pairs.join(",")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str) -> Result<Indicator, Vec<String>> {
        let spec: IndicatorSpec = serde_saphyr::from_str(yaml).expect("readable");
        spec.check().map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_signal_has_its_fields() {
        let measured = |yaml: &str| check(yaml).expect("valid").measured;
        assert_eq!(
            measured("signal: errors"),
            Measured::Errors { bad: vec![Outcome::ServerError, Outcome::Timeout] }
        );
        assert_eq!(
            measured("{signal: latency, threshold: 200ms, quantile: 0.95}"),
            Measured::Latency { threshold_s: Some(0.2), quantile: Some(0.95) }
        );
        assert_eq!(
            measured("{signal: traffic, threshold: 3000/m}"),
            Measured::Traffic { floor_per_s: Some(50.0) }
        );
        assert_eq!(
            measured("{signal: saturation, metric: 'disk{b=\"2\", a=\"1\"}', threshold: 0.9}"),
            Measured::Saturation { metric: "disk{a=\"1\",b=\"2\"}".into(), threshold: Some(0.9) }
        );
    }

    #[test]
    fn a_field_that_would_be_without_effect_is_refused() {
        assert_eq!(
            check("{signal: errors, threshold: 5%, quantile: 0.5}").expect_err("refused"),
            [
                "quantile: has no meaning for the signal `errors`; it belongs to `latency`",
                "threshold: has no meaning for the signal `errors`; it belongs to `latency`, `traffic` and \
                 `saturation`; the share of errors allowed is 1 − target of the objective",
            ]
        );
    }

    #[test]
    fn a_host_cannot_be_picked_beside_an_endpoint() {
        let faults = check("{signal: errors, selector: {host: a, endpoint: /b}}").expect_err("refused");
        assert!(faults[0].starts_with("selector.host: cannot stand beside"), "{faults:?}");
        assert!(check("{signal: errors, by: host, selector: {method: GET}}").is_err());
        assert!(check("{signal: saturation, by: host, metric: a}").is_err());
    }

    #[test]
    fn patterns_other_than_any_are_refused() {
        assert!(check("{signal: errors, selector: {service: '*'}}").is_ok());
        assert!(check("{signal: saturation, metric: a, selector: {service: 'host:*'}}").is_ok());
        assert!(check("{signal: errors, selector: {service: 'web-*'}}").is_err());
        assert!(check("{signal: errors, selector: {service: 'host:*'}}").is_err());
        assert!(check("{signal: errors, selector: {service: 'a/b'}}").is_err());
    }

    #[test]
    fn several_services_are_named_or_all_of_them() {
        let services = |yaml: &str| check(yaml).expect("valid").selector.services;
        let named = services("{signal: errors, selector: {services: [checkout, payment]}}");
        assert_eq!(named, Some(vec!["checkout".into(), "payment".into()]));
        assert!(services("{signal: latency, selector: {services: ['*'], endpoint: /pay}}").is_some());
        let first = |selector: &str, rest: &str| {
            check(&format!("{{signal: errors, selector: {{{selector}}}{rest}}}"))
                .expect_err("refused")
                .remove(0)
        };
        assert!(first("service: a, services: [a, b]", "").starts_with("selector.services: stands beside"));
        assert_eq!(
            first("services: [a]", ""),
            "selector.services: names one service only; write `service: a`"
        );
        assert!(first("services: []", "").starts_with("selector.services: is empty"));
        assert!(first("services: [a, b, a]", "").starts_with("selector.services[2]: names `a` a second"));
        assert!(first("services: [a, '*']", "").starts_with("selector.services[1]: stands for every"));
        assert!(first("services: [a, 'b-*']", "").starts_with("selector.services[1]: `b-*` is no exact"));
        assert!(first("services: [a, 'host:b']", "").starts_with("selector.services[1]: names a host"));
        assert!(first("services: [a, b]", ", by: endpoint").starts_with("by: cannot stand beside"));
        assert!(first("services: [a, b]", ", stray: above").starts_with("stray: cannot stand beside"));
        let full =
            check("{signal: saturation, metric: m, selector: {services: [a, b]}}").expect_err("refused");
        assert!(full[0].starts_with("selector.services: has no meaning for `saturation`"), "{full:?}");
    }

    #[test]
    fn thresholds_out_of_range_are_refused() {
        let first = |yaml: &str| check(yaml).expect_err("refused").remove(0);
        assert_eq!(
            first("{signal: latency, threshold: 200}"),
            "threshold: `200` has no unit; write for example `200s`"
        );
        assert!(first("{signal: latency, threshold: 0ms}").contains("out of range"));
        assert!(first("{signal: latency, quantile: 95}").contains("write p95 as 0.95"));
        assert_eq!(first("{signal: traffic, threshold: 0/s}"), "threshold: a floor of 0 is never undercut");
        assert!(first("{signal: saturation, metric: a, threshold: full}").contains("no reading"));
        assert!(first("{signal: saturation}").contains("needs the metric"));
    }

    #[test]
    fn good_outcomes_must_leave_something_bad() {
        assert!(check("{signal: errors, good: {outcomes: [ok]}}").is_ok());
        assert!(check("{signal: errors, good: {outcomes: []}}").is_err());
        let all = "{signal: errors, good: {outcomes: [ok, client_error, server_error, timeout]}}";
        assert!(check(all).is_err());
    }

    #[test]
    fn what_strays_is_compared_with_the_usual_and_not_with_a_value() {
        let straying = |yaml: &str| match check(yaml).expect("valid").measured {
            Measured::Stray(straying) => straying,
            other => panic!("{other:?}"),
        };
        let errors = straying("{signal: errors, stray: above}");
        assert_eq!((errors.threshold, errors.of.signal()), (STRAY_THRESHOLD, Signal::Errors));
        assert!(errors.is_bad(6.5) && !errors.is_bad(6.0) && !errors.is_bad(-9.0));
        let traffic = straying("{signal: traffic, stray: below, threshold: 4}");
        assert!(traffic.is_bad(-4.5) && !traffic.is_bad(9.0));
        let latency = straying("{signal: latency, stray: either}");
        assert_eq!(latency.of, Compared::Latency { quantile: 0.95 });
        assert!(latency.is_bad(-7.0) && latency.is_bad(7.0));
        let first = |yaml: &str| check(yaml).expect_err("refused").remove(0);
        assert_eq!(
            first("{signal: latency, stray: above, threshold: 200ms}"),
            "threshold: `200ms` is no number from 2 to 50; beside `stray` it says how far"
        );
        assert!(
            first("{signal: errors, stray: above, by: host}").starts_with("by: cannot stand beside `stray`")
        );
        assert!(first("{signal: saturation, stray: above}").contains("needs the metric"));
    }

    #[test]
    fn a_shift_is_of_errors_or_latency_and_needs_no_value() {
        let measured = |yaml: &str| check(yaml).expect("valid").measured;
        assert_eq!(
            measured("{signal: latency, shift: true}"),
            Measured::Shift(Compared::Latency { quantile: 0.95 })
        );
        assert!(matches!(
            measured("{signal: errors, shift: true}"),
            Measured::Shift(Compared::Errors { .. })
        ));
        let first = |yaml: &str| check(yaml).expect_err("refused").remove(0);
        assert!(first("{signal: traffic, shift: true}").starts_with("shift: is for `errors`"));
        assert!(
            first("{signal: errors, shift: true, by: host}").starts_with("by: cannot stand beside `shift`")
        );
        assert!(first("{signal: errors, shift: true, stray: above}").starts_with("stray: cannot stand"));
        let fixed = first("{signal: latency, shift: true, threshold: 1s}");
        assert!(fixed.starts_with("threshold: cannot stand beside `shift`"), "{fixed}");
    }

    #[test]
    fn readings_come_in_many_units() {
        for (text, value) in [("0.9", 0.9), ("90%", 0.9), ("1KiB", 1024.0), ("20ms", 0.02), ("60/m", 1.0)] {
            assert_eq!(parse_reading(text), Ok(value), "{text}");
        }
    }
}
