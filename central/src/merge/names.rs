//! Names kept once: hosts, endpoints and gauges return in every second of every service.

use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::Arc;

use goldentime_model::HostName;
use goldentime_windows::EndpointKey;
use goldentime_wire::proto;
use hashbrown::{Equivalent, HashMap, HashSet};

/// Most names of one sort that are kept. When full they are forgotten at once and learnt anew: cells
/// that use a name keep it alive themselves.
const NAMES_MAX: usize = 50_000;

/// Label that tells the hosts of a service apart.
const HOST: &str = "host";

/// The names that one partition has met.
#[derive(Debug, Default)]
pub struct Names {
    texts: HashSet<Arc<str>>,
    endpoints: HashMap<EndpointKey, ()>,
    gauge: String,
}

#[derive(Hash)]
struct EndpointRef<'a> {
    endpoint: &'a str,
    method: &'a str,
}

impl Equivalent<EndpointKey> for EndpointRef<'_> {
    fn equivalent(&self, key: &EndpointKey) -> bool {
        *self.endpoint == *key.endpoint && *self.method == *key.method
    }
}

impl Names {
    /// A host's name.
    pub fn host(&mut self, host: &str) -> HostName {
        text(&mut self.texts, host)
    }

    /// Any other text that returns, such as a unit.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        self::text(&mut self.texts, text)
    }

    /// An endpoint with its method.
    pub fn endpoint(&mut self, endpoint: &str, method: &str) -> EndpointKey {
        if let Some((key, ())) = self.endpoints.get_key_value(&EndpointRef { endpoint, method }) {
            return key.clone();
        }
        if self.endpoints.len() >= NAMES_MAX {
            self.endpoints.clear();
        }
        let key =
            EndpointKey { endpoint: text(&mut self.texts, endpoint), method: text(&mut self.texts, method) };
        self.endpoints.insert(key.clone(), ());
        key
    }

    /// A gauge as `name` or `name{a="b",c="d"}`, labels sorted.
    pub fn gauge(&mut self, sample: &proto::Sample) -> Arc<str> {
        self.labelled(sample, None)
    }

    /// A gauge with its host among the labels, unless it has a label of that name: the readings of a
    /// service that runs on several hosts stand side by side.
    pub fn gauge_of(&mut self, sample: &proto::Sample, host: &HostName) -> Arc<str> {
        let host = Some(&**host).filter(|_| !sample.labels.contains_key(HOST));
        self.labelled(sample, host)
    }

    fn labelled(&mut self, sample: &proto::Sample, mut host: Option<&str>) -> Arc<str> {
        self.gauge.clear();
        self.gauge.push_str(&sample.name);
        let mut open = '{';
        let mut put = |gauge: &mut String, name: &str, value: &str| {
            let _ = write!(gauge, "{open}{name}=\"{value}\"");
            open = ',';
        };
        for (name, value) in &sample.labels {
            if name.as_str() > HOST
                && let Some(host) = host.take()
            {
                put(&mut self.gauge, HOST, host);
            }
            put(&mut self.gauge, name, value);
        }
        if let Some(host) = host {
            put(&mut self.gauge, HOST, host);
        }
        if open == ',' {
            self.gauge.push('}');
        }
        text(&mut self.texts, &self.gauge)
    }
}

fn text(texts: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = texts.get(name) {
        return Arc::clone(known);
    }
    if texts.len() >= NAMES_MAX {
        texts.clear();
    }
    let name: Arc<str> = name.into();
    texts.insert(Arc::clone(&name));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_returns_takes_no_new_memory() {
        let mut names = Names::default();
        let first = names.endpoint("/orders/{id}", "GET");
        let again = names.endpoint("/orders/{id}", "GET");
        assert!(Arc::ptr_eq(&first.endpoint, &again.endpoint));
        assert_ne!(first, names.endpoint("/orders/{id}", "POST"));
    }

    #[test]
    fn a_gauge_is_named_by_metric_and_sorted_labels() {
        let labels = [("mode", "user"), ("cpu", "0")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let sample = proto::Sample { name: "system.cpu".into(), labels, ..proto::Sample::default() };
        assert_eq!(&*Names::default().gauge(&sample), r#"system.cpu{cpu="0",mode="user"}"#);
    }

    #[test]
    fn a_gauge_of_a_service_is_named_by_its_host_too_unless_it_names_one_itself() {
        let named = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
            let sample = proto::Sample { name: "load".into(), labels, ..proto::Sample::default() };
            Names::default().gauge_of(&sample, &"web-1".into()).to_string()
        };
        assert_eq!(named(&[]), r#"load{host="web-1"}"#);
        assert_eq!(named(&[("a", "1"), ("unit", "x")]), r#"load{a="1",host="web-1",unit="x"}"#);
        assert_eq!(named(&[("a", "1")]), r#"load{a="1",host="web-1"}"#);
        assert_eq!(named(&[("host", "web-2")]), r#"load{host="web-2"}"#);
    }
}
