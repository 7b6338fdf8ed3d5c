//! Who is told: the routing tree, or the channels that a rule names itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::alert::label;
use goldentime_model::units::HumanDuration;
use goldentime_model::{Labels, UnixNanos};

use super::config::NotifyConfig;
use super::config::routing::RouteConfig;
use super::intervals::Named;
use super::matching::Matchers;

/// Labels by which alerts are grouped unless a route says otherwise.
pub(super) const GROUP_BY: [&str; 4] = [label::ALERTNAME, label::PROJECT, label::ENVIRONMENT, label::SERVICE];

/// Stands for all labels.
const BY_ALL: &str = "...";

/// Where alerts go that come this far: over which channels, and how they are told together.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Identity, in Alertmanager's form: the matchers on the way here.
    pub(super) key: String,
    /// The receiver's name, for people.
    pub(super) receiver: String,
    /// Names of channels.
    pub(super) channels: Arc<[String]>,
    group_by: Arc<[String]>,
    pub(super) group_wait: Duration,
    pub(super) group_interval: Duration,
    /// None: what was told once is not told again.
    pub(super) repeat_interval: Option<Duration>,
    pub(super) escalation: Option<Arc<Escalation>>,
    mutes: Vec<Arc<Named>>,
    actives: Vec<Arc<Named>>,
}

/// Whom to tell too when nobody acknowledges.
#[derive(Clone, Debug)]
pub(super) struct Escalation {
    pub(super) after: Duration,
    pub(super) channels: Arc<[String]>,
}

impl Branch {
    /// The labels that alerts of one group share.
    pub(super) fn group_labels(&self, labels: &Labels) -> Labels {
        if self.group_by.iter().any(|name| name == BY_ALL) {
            return labels.clone();
        }
        let label = |name: &String| Some((name.clone(), labels.get(name)?.clone()));
        self.group_by.iter().filter_map(label).collect()
    }

    /// Identity of a group, in Alertmanager's form: the route, and the group's labels.
    pub(super) fn group_key(&self, labels: &Labels) -> String {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{}:{{{}}}", self.key, pairs.join(", "))
    }

    /// Time intervals by which nobody is told now.
    pub(super) fn muted_by(&self, now: UnixNanos) -> Vec<String> {
        let muting = self.mutes.iter().filter(|interval| interval.has(now));
        let muting: Vec<String> = muting.map(|interval| interval.name.clone()).collect();
        if muting.is_empty() && !self.actives.is_empty() && !self.actives.iter().any(|active| active.has(now))
        {
            return self.actives.iter().map(|active| active.name.clone()).collect();
        }
        muting
    }

    /// Whether it can be muted at all.
    pub(super) fn has_intervals(&self) -> bool {
        !self.mutes.is_empty() || !self.actives.is_empty()
    }
}

struct Node {
    matchers: Matchers,
    goes_on: bool,
    branch: Arc<Branch>,
    below: Vec<Node>,
}

/// The whole tree.
pub(super) struct Routes {
    top: Node,
    config: NotifyConfig,
    channels: BTreeSet<String>,
}

impl Routes {
    /// The tree of a configuration. Without one, every alert goes to every channel.
    pub(super) fn new(config: &NotifyConfig) -> Result<Self, String> {
        let intervals = config
            .time_intervals
            .iter()
            .map(|named| Named::new(named).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let all = config.channels.iter().map(|channel| channel.name.clone());
        let above = Branch {
            key: String::new(),
            receiver: "all".into(),
            channels: all.clone().collect(),
            group_by: GROUP_BY.map(str::to_owned).into(),
            group_wait: Duration::ZERO,
            group_interval: config.group_interval.get(),
            repeat_interval: None,
            escalation: None,
            mutes: Vec::new(),
            actives: Vec::new(),
        };
        let route = config.route.clone().unwrap_or_default();
        let top = Node::new(&route, &above, config, &intervals)?;
        Ok(Self { top, channels: all.collect(), config: config.clone() })
    }

    /// Where an alert goes. Targets that its rule names go over the tree; where none of them is a receiver or a
    /// channel, the tree decides: a misspelt target must not swallow a page.
    pub(super) fn of(&self, labels: &Labels, targets: &[String]) -> Vec<Arc<Branch>> {
        let named: BTreeSet<String> =
            targets.iter().filter_map(|target| self.config.channels_of(target)).flatten().collect();
        if !named.is_empty() {
            return vec![Arc::new(self.direct(named))];
        }
        let mut found = Vec::new();
        self.top.find(labels, &mut found);
        found
    }

    fn direct(&self, channels: BTreeSet<String>) -> Branch {
        let names: Vec<String> = channels.into_iter().collect();
        let (key, receiver) = match names.len() == self.channels.len() {
            true => (self.top.branch.key.clone(), self.top.branch.receiver.clone()),
            false => (format!("{{}}/{{channel=~{:?}}}", names.join("|")), names.join(",")),
        };
        Branch { key, receiver, channels: names.into(), ..(*self.top.branch).clone() }
    }

    /// Where an alert goes that no other route matches.
    pub(super) fn top(&self) -> &Branch {
        &self.top.branch
    }

    /// What it was made of.
    pub(super) const fn config(&self) -> &NotifyConfig {
        &self.config
    }

    /// Every branch of the tree.
    pub(super) fn all(&self) -> Vec<Arc<Branch>> {
        let mut all = Vec::new();
        self.top.collect(&mut all);
        all
    }
}

impl Node {
    fn new(
        route: &RouteConfig,
        above: &Branch,
        config: &NotifyConfig,
        intervals: &[Arc<Named>],
    ) -> Result<Self, String> {
        let channels = |name: &str| {
            config
                .channels_of(name)
                .ok_or_else(|| format!("no receiver and no channel has the name `{name}`"))
        };
        let named = |names: &[String]| {
            let find = |name: &String| {
                let found = intervals.iter().find(|interval| interval.name == *name).map(Arc::clone);
                found.ok_or_else(|| format!("no time interval has the name `{name}`"))
            };
            names.iter().map(find).collect::<Result<Vec<_>, _>>()
        };
        let mut branch = Branch {
            key: match above.key.as_str() {
                "" => "{}".to_owned(),
                above => format!("{above}/{{{}}}", route.matchers.join(",")),
            },
            // As in Alertmanager these hold for one node alone.
            mutes: named(&route.mute_time_intervals)?,
            actives: named(&route.active_time_intervals)?,
            ..above.clone()
        };
        if let Some(receiver) = &route.receiver {
            branch.channels = channels(receiver)?.into();
            branch.receiver.clone_from(receiver);
        }
        if let Some(group_by) = &route.group_by {
            branch.group_by = group_by.as_slice().into();
        }
        branch.group_wait = route.group_wait.map_or(branch.group_wait, HumanDuration::get);
        branch.group_interval = route.group_interval.map_or(branch.group_interval, HumanDuration::get);
        if let Some(interval) = route.repeat_interval {
            branch.repeat_interval = Some(interval.get()).filter(|interval| !interval.is_zero());
        }
        if let Some(escalate) = &route.escalate {
            let channels = channels(&escalate.receiver)?.into();
            branch.escalation = Some(Arc::new(Escalation { after: escalate.after.get(), channels }));
        }
        let below = route.routes.iter().map(|route| Self::new(route, &branch, config, intervals));
        Ok(Self {
            matchers: Matchers::parse(&route.matchers)?,
            goes_on: route.goes_on,
            below: below.collect::<Result<_, _>>()?,
            branch: Arc::new(branch),
        })
    }

    /// Adds where these labels end from here on; whether they came here at all.
    fn find(&self, labels: &Labels, found: &mut Vec<Arc<Branch>>) -> bool {
        if !self.matchers.match_all(labels) {
            return false;
        }
        let before = found.len();
        for node in &self.below {
            if node.find(labels, found) && !node.goes_on {
                break;
            }
        }
        if found.len() == before {
            found.push(Arc::clone(&self.branch));
        }
        true
    }

    fn collect(&self, all: &mut Vec<Arc<Branch>>) {
        all.push(Arc::clone(&self.branch));
        self.below.iter().for_each(|node| node.collect(all));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::config_of;
    use super::*;

    const CHANNELS: &str = "channels:\n- {name: hook, webhook: {url: 'http://x/'}}\n\
                            - {name: mail, email: {server: 127.0.0.1, encryption: none, from: g@x.io, to: [a@x.io]}}\n\
                            - {name: chat, slack: {url: 'http://x/'}}\n";

    fn routes(yaml: &str) -> Routes {
        Routes::new(&config_of(&format!("{CHANNELS}{yaml}"))).expect("valid")
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Receivers, with their channels, that an alert with these labels and targets goes to.
    fn ends(routes: &Routes, pairs: &[(&str, &str)], targets: &[&str]) -> Vec<String> {
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        let branches = routes.of(&labels(pairs), &targets);
        branches.iter().map(|branch| format!("{}={}", branch.receiver, branch.channels.join("+"))).collect()
    }

    #[test]
    fn without_a_tree_a_page_goes_to_the_channels_it_names_and_to_all_if_it_names_none_that_exists() {
        let routes = routes("");
        assert_eq!(ends(&routes, &[], &[]), ["all=hook+mail+chat"]);
        assert_eq!(ends(&routes, &[], &["mail"]), ["mail=mail"]);
        assert_eq!(
            ends(&routes, &[], &["mial"]),
            ["all=hook+mail+chat"],
            "a misspelt target swallows nothing"
        );
        assert_eq!(ends(&routes, &[], &["mial", "chat"]), ["chat=chat"]);
    }

    #[test]
    fn an_alert_goes_down_the_tree_as_far_as_it_matches_and_on_where_a_route_says_continue() {
        let routes = routes(
            "receivers: [{name: oncall, channels: [hook, chat]}]\nroute:\n  receiver: mail\n  routes:\n  \
             - {matchers: ['severity=\"page\"'], receiver: oncall, continue: true}\n  \
             - matchers: ['team=\"db\"']\n    receiver: chat\n    routes:\n    - {matchers: ['host=~\"db-.*\"'], receiver: hook}\n",
        );
        assert_eq!(ends(&routes, &[("severity", "ticket")], &[]), ["mail=mail"]);
        assert_eq!(ends(&routes, &[("severity", "page")], &[]), ["oncall=hook+chat"]);
        assert_eq!(
            ends(&routes, &[("severity", "page"), ("team", "db")], &[]),
            ["oncall=hook+chat", "chat=chat"]
        );
        assert_eq!(ends(&routes, &[("team", "db"), ("host", "db-1")], &[]), ["hook=hook"]);
        assert_eq!(ends(&routes, &[("severity", "page")], &["oncall"]), ["chat,hook=chat+hook"]);
    }

    #[test]
    fn what_a_node_does_not_set_is_as_above_but_for_its_time_intervals() {
        let routes = routes(
            "time_intervals: [{name: always, time_intervals: [{}]}]\nroute:\n  group_by: [host]\n  repeat_interval: 4h\n  \
             escalate: {after: 5m, receiver: mail}\n  routes:\n  - matchers: [a=b]\n    mute_time_intervals: [always]\n    \
             routes:\n    - {matchers: [c=d], repeat_interval: 0, group_by: ['...']}\n",
        );
        let at = UnixNanos(0);
        let one = |pairs: &[(&str, &str)]| routes.of(&labels(pairs), &[]).pop().expect("somewhere");
        let muted = one(&[("a", "b")]);
        assert_eq!(muted.muted_by(at), ["always"]);
        assert_eq!(muted.repeat_interval, Some(Duration::from_secs(4 * 3600)));
        assert_eq!(muted.group_labels(&labels(&[("a", "b"), ("host", "web")])), labels(&[("host", "web")]));
        let below = one(&[("a", "b"), ("c", "d")]);
        assert!(
            below.muted_by(at).is_empty() && below.repeat_interval.is_none() && below.escalation.is_some()
        );
        assert_eq!(below.key, "{}/{a=b}/{c=d}");
        assert_eq!(below.group_labels(&labels(&[("a", "b"), ("c", "d")])).len(), 2);
    }
}
