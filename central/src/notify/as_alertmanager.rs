//! The routing tree as a configuration of Alertmanager, for `amtool config`. Where to reach people is left out:
//! receivers have names only.

use std::collections::BTreeSet;
use std::time::Duration;

use goldentime_model::units::HumanDuration;
use jiff::civil::Weekday;
use serde_json::{Map, Value, json};

use super::config::NotifyConfig;
use super::config::routing::{IntervalConfig, RouteConfig, TimesConfig};
use super::intervals::days_of;
use super::route::{Branch, GROUP_BY, Routes};

/// The configuration as plain data.
pub(super) fn config(config: &NotifyConfig, routes: &Routes) -> Value {
    let names = receivers(config, routes);
    let top = config.route.clone().unwrap_or_default();
    let mut route = route(&top, Some(&routes.top().receiver));
    let group_by = top.group_by.unwrap_or_else(|| GROUP_BY.map(str::to_owned).into());
    route.insert("group_by".into(), json!(group_by));
    if let Some(interval) = prometheus(top.group_interval.unwrap_or(config.group_interval)) {
        route.insert("group_interval".into(), interval);
    }
    let intervals = config.time_intervals.iter().map(|named| {
        let parts: Vec<Value> = named.time_intervals.iter().flat_map(interval).collect();
        json!({"name": named.name, "time_intervals": parts})
    });
    let inhibit = config.inhibit_rules.iter().map(|rule| {
        json!({
            "source_matchers": rule.source_matchers,
            "target_matchers": rule.target_matchers,
            "equal": rule.equal,
        })
    });
    json!({
        "route": route,
        "receivers": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "inhibit_rules": inhibit.collect::<Vec<_>>(),
        "time_intervals": intervals.collect::<Vec<_>>(),
    })
}

/// Names of receivers: those of routes, and all that are configured.
pub(super) fn receivers(config: &NotifyConfig, routes: &Routes) -> BTreeSet<String> {
    let of_routes = routes.all().into_iter().map(|branch: std::sync::Arc<Branch>| branch.receiver.clone());
    let named = config.receivers.iter().map(|receiver| receiver.name.clone());
    let channels = config.channels.iter().map(|channel| channel.name.clone());
    of_routes.chain(named).chain(channels).collect()
}

fn route(config: &RouteConfig, receiver: Option<&str>) -> Map<String, Value> {
    let mut route = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            route.insert(name.to_owned(), value);
        }
    };
    set("receiver", receiver.or(config.receiver.as_deref()).map(Value::from));
    set("matchers", (!config.matchers.is_empty()).then(|| json!(config.matchers)));
    set("continue", config.goes_on.then_some(Value::Bool(true)));
    set("group_by", config.group_by.as_ref().map(|by| json!(by)));
    set("group_wait", config.group_wait.and_then(prometheus));
    set("group_interval", config.group_interval.and_then(prometheus));
    set("repeat_interval", config.repeat_interval.and_then(prometheus));
    for (name, intervals) in [
        ("mute_time_intervals", &config.mute_time_intervals),
        ("active_time_intervals", &config.active_time_intervals),
    ] {
        set(name, (!intervals.is_empty()).then(|| json!(intervals)));
    }
    let below: Vec<Value> =
        config.routes.iter().map(|below| Value::Object(self::route(below, None))).collect();
    set("routes", (!below.is_empty()).then(|| Value::Array(below)));
    route
}

/// A duration as Prometheus writes it; none for zero, which Alertmanager takes for no interval.
fn prometheus(duration: HumanDuration) -> Option<Value> {
    let millis = duration.get().as_millis();
    (duration.get() != Duration::ZERO).then(|| json!(format!("{millis}ms")))
}

/// Alertmanager knows no night that goes over midnight: it is two intervals there. Nor does it know days that go over
/// the end of its week, so each day is named.
fn interval(config: &IntervalConfig) -> Vec<Value> {
    let (plain, nights): (Vec<_>, Vec<_>) =
        config.times.iter().cloned().partition(|times| times.start_time < times.end_time);
    let one = |weekdays: &[Weekday], times: &[TimesConfig]| {
        let mut interval = Map::new();
        if !weekdays.is_empty() {
            let names: Vec<String> = weekdays.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
            interval.insert("weekdays".into(), json!(names));
        }
        if !times.is_empty() {
            interval.insert("times".into(), json!(times));
        }
        if let Some(location) = &config.location {
            interval.insert("location".into(), json!(location));
        }
        Value::Object(interval)
    };
    let days: Vec<Weekday> =
        config.weekdays.iter().filter_map(|range| days_of(range).ok()).flatten().collect();
    let after: Vec<Weekday> = days.iter().map(|day| day.next()).collect();
    let mut all = Vec::new();
    if nights.is_empty() || !plain.is_empty() {
        all.push(one(&days, &plain));
    }
    for night in nights {
        all.push(one(&days, &[TimesConfig { end_time: "24:00".into(), ..night.clone() }]));
        if night.end_time != "00:00" {
            all.push(one(&after, &[TimesConfig { start_time: "00:00".into(), ..night }]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::config_of;
    use super::*;

    #[test]
    fn a_night_is_two_intervals_and_no_address_is_shown() {
        let config = config_of(
            "channels:\n- {name: hook, webhook: {url: 'http://secret/'}}\ntime_intervals:\n- name: night\n  \
             time_intervals: [{weekdays: ['friday:saturday'], times: [{start_time: '22:00', end_time: '06:00'}]}]\n",
        );
        let routes = Routes::new(&config).expect("valid");
        let shown = super::config(&config, &routes);
        assert_eq!(
            shown["time_intervals"][0]["time_intervals"],
            json!([
                {"weekdays": ["friday", "saturday"], "times": [{"start_time": "22:00", "end_time": "24:00"}]},
                {"weekdays": ["saturday", "sunday"], "times": [{"start_time": "00:00", "end_time": "06:00"}]},
            ])
        );
        assert_eq!(shown["receivers"], json!([{"name": "all"}, {"name": "hook"}]));
        assert_eq!(shown["route"]["group_interval"], "10000ms");
        assert!(!shown.to_string().contains("secret"));
    }
}
