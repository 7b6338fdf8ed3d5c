//! Which centrals there are, and what each of them does. A part of the work that nobody does must not go unnoticed:
//! without a word a page would wait for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::word::Presence;
use crate::notify::ChannelHealth;
use crate::roles::{Role, Roles};

/// A member that was not heard for so long is none: each says every five seconds that it is there.
const HEARD_FOR: Duration = Duration::from_secs(15);
/// What is missing is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One of the centrals that share a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// Its version; none of one that does not say so.
    pub version: Option<Arc<str>>,
    /// What it does.
    pub roles: Roles,
    /// Whether it is this one.
    pub is_this: bool,
}

/// The members of a cluster. Cheap to clone; all clones show the same.
#[derive(Clone)]
pub struct Roster(Arc<Mutex<Known>>);

struct Known {
    name: Arc<str>,
    own: Roles,
    /// Since when every word was heard that others said; none while the log does not answer.
    listening: Option<Instant>,
    others: HashMap<Arc<str>, Other>,
}

/// A member other than this one.
struct Other {
    presence: Presence,
    /// When it was heard first and last.
    since: Instant,
    heard: Instant,
}

impl Other {
    /// Whether it is there.
    fn is_heard(&self) -> bool {
        self.heard.elapsed() < HEARD_FOR
    }

    /// Whether it has said who it is, or had the time to.
    fn is_known(&self) -> bool {
        self.presence.version.is_some() || self.since.elapsed() >= HEARD_FOR
    }
}

impl Roster {
    /// Of a central with these roles, of which nobody else is known yet.
    #[must_use]
    pub fn new(name: Arc<str>, own: Roles) -> Self {
        Self(Arc::new(Mutex::new(Known { name, own, listening: None, others: HashMap::new() })))
    }

    /// Roles of this central.
    #[must_use]
    pub fn own(&self) -> Roles {
        self.lock().own.clone()
    }

    /// Roles that no member has. Empty while that is not known: for some seconds after the start, and after the
    /// log did not answer.
    #[must_use]
    pub fn missing(&self) -> Vec<Role> {
        match self.counts() {
            Some(counts) => {
                counts.into_iter().filter(|(_, members)| *members == 0).map(|(role, _)| role).collect()
            }
            None => Vec::new(),
        }
    }

    /// Who is there, by name, this central included; without those that had no time yet to say who they are.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let known = self.lock();
        let own = Member {
            name: Arc::clone(&known.name),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            roles: known.own.clone(),
            is_this: true,
        };
        let present = known.others.iter().filter(|(_, other)| other.is_heard() && other.is_known());
        let others = present.map(|(name, Other { presence, .. })| Member {
            name: Arc::clone(name),
            version: presence.version.clone(),
            roles: presence.roles.clone(),
            is_this: false,
        });
        let mut members: Vec<Member> = others.chain([own]).collect();
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// The versions that members run, each once; what does not say its version is one.
    fn versions(&self) -> BTreeSet<Arc<str>> {
        let unknown = || Arc::from("one that does not say so");
        self.members().into_iter().map(|member| member.version.unwrap_or_else(unknown)).collect()
    }

    /// Members by role, this one included; none while that is not known.
    fn counts(&self) -> Option<[(Role, usize); 4]> {
        let mut known = self.lock();
        let is_known = known.listening.is_some_and(|since| since.elapsed() >= HEARD_FOR);
        known.others.retain(|_, other| other.is_heard());
        let members = |role: Role| {
            let others = known.others.values().filter(|other| other.presence.roles.has(role)).count();
            others + usize::from(known.own.has(role))
        };
        is_known.then(|| Role::ALL.map(|role| (role, members(role))))
    }

    /// The log answered, or not.
    pub(super) fn listens(&self, answers: bool) {
        let mut known = self.lock();
        known.listening = known.listening.or_else(|| Some(Instant::now())).filter(|_| answers);
    }

    /// A member spoke. One that does not say what it does, as those of the first version, does everything.
    pub(super) fn heard(&self, member: &Arc<str>, presence: Option<Presence>) {
        let (mut known, now) = (self.lock(), Instant::now());
        let new = || Other { presence: Presence::default(), since: now, heard: now };
        let other = known.others.entry(Arc::clone(member)).or_insert_with(new);
        other.heard = now;
        if let Some(presence) = presence {
            other.presence = presence;
        }
    }

    /// How the channels do over which the others send, by name.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelHealth> {
        let mut channels: BTreeMap<String, ChannelHealth> = BTreeMap::new();
        let known = self.lock();
        let present = known.others.values().filter(|other| other.is_heard());
        for channel in present.flat_map(|other| other.presence.channels.iter().cloned()) {
            match channels.get_mut(&channel.name) {
                Some(known) => known.add(channel),
                None => {
                    channels.insert(channel.name.clone(), channel);
                }
            }
        }
        channels.into_values().collect()
    }

    /// Tells of roles that go missing and come back, and of versions, for ever.
    pub(super) async fn watch(self) {
        let (mut missing, mut versions) = (Vec::new(), BTreeSet::new());
        loop {
            self.tell_versions(&mut versions);
            if let Some(counts) = self.counts() {
                for (role, members) in counts {
                    metrics::gauge!("goldentime_role_members", "role" => role.as_str()).set(members as f64);
                }
                let now = self.missing();
                for role in now.iter().filter(|role| !missing.contains(*role)) {
                    let meaning = role.when_missing();
                    tracing::error!(%role, "no central has the role `{role}`: {meaning}; start one with `--roles {role}`");
                }
                for role in missing.iter().filter(|role| !now.contains(*role)) {
                    tracing::info!(%role, "a central has the role `{role}` again");
                }
                missing = now;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn tell_versions(&self, told: &mut BTreeSet<Arc<str>>) {
        let versions = self.versions();
        metrics::gauge!("goldentime_members").set(self.members().len() as f64);
        metrics::gauge!("goldentime_member_versions").set(versions.len() as f64);
        if versions == *told {
            return;
        }
        let list = versions.iter().map(|version| &**version).collect::<Vec<_>>().join(", ");
        if versions.len() > 1 {
            tracing::warn!(
                versions = list,
                "centrals of several versions share the work; finish the upgrade"
            );
        } else if told.len() > 1 {
            tracing::info!(version = list, "all centrals are of one version");
        }
        *told = versions;
    }

    /// Names and instants: a panic while holding the lock leaves them usable.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::ChannelState;

    fn roles(roles: &[Role]) -> Roles {
        roles.iter().copied().collect()
    }

    fn present(of: &[Role]) -> Option<Presence> {
        Some(Presence { roles: roles(of), ..Presence::default() })
    }

    #[tokio::test]
    async fn a_channel_over_which_several_send_is_shown_as_it_fares_with_the_worst_of_them() {
        let roster = Roster::new("own".into(), roles(&[Role::Api]));
        let health = |state, delivered, error: Option<&str>| ChannelHealth {
            name: "ops".into(),
            state,
            delivered,
            last_error: error.map(str::to_owned),
            ..ChannelHealth::default()
        };
        let says = |channel| Some(Presence { channels: vec![channel], ..Presence::default() });
        roster.heard(&"first".into(), says(health(ChannelState::Failing, 1, Some("refused"))));
        roster.heard(&"second".into(), says(health(ChannelState::Ok, 2, None)));
        assert_eq!(roster.channels(), [health(ChannelState::Failing, 3, Some("refused"))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_no_member_has_is_missing_once_all_had_the_time_to_speak() {
        let roster = Roster::new("first".into(), roles(&[Role::Gateway, Role::Api]));
        roster.listens(true);
        assert_eq!(roster.missing(), []);
        tokio::time::advance(HEARD_FOR).await;
        assert_eq!(roster.missing(), [Role::Process, Role::Notify]);
        roster.heard(&"second".into(), present(&[Role::Process]));
        assert_eq!(roster.missing(), [Role::Notify]);
        roster.heard(&"third".into(), present(&[Role::Notify]));
        assert_eq!(roster.missing(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_is_not_heard_any_more_does_nothing_and_one_that_names_no_roles_everything() {
        let roster = Roster::new("first".into(), roles(&[Role::Api]));
        roster.listens(true);
        tokio::time::advance(HEARD_FOR).await;
        roster.heard(&"of the first version".into(), None);
        assert_eq!(roster.missing(), []);
        tokio::time::advance(HEARD_FOR).await;
        assert_eq!(roster.missing(), [Role::Gateway, Role::Process, Role::Notify]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_missing_while_the_log_does_not_answer_and_right_after_that() {
        let roster = Roster::new("first".into(), roles(&[Role::Process]));
        roster.listens(true);
        tokio::time::advance(HEARD_FOR).await;
        assert!(!roster.missing().is_empty());
        roster.listens(false);
        assert_eq!(roster.missing(), []);
        roster.listens(true);
        tokio::time::advance(HEARD_FOR / 2).await;
        roster.listens(true);
        assert_eq!(roster.missing(), []);
        tokio::time::advance(HEARD_FOR / 2).await;
        assert!(!roster.missing().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn each_member_is_shown_with_its_version_for_as_long_as_it_is_heard() {
        let roster = Roster::new("b".into(), roles(&[Role::Api]));
        assert_eq!(roster.versions().len(), 1);
        let says = |version: &str| Some(Presence { version: Some(version.into()), ..Presence::default() });
        roster.heard(&"a".into(), None);
        assert_eq!(roster.versions().len(), 1, "it had no time yet to say who it is");
        tokio::time::advance(HEARD_FOR / 2).await;
        roster.heard(&"a".into(), None);
        tokio::time::advance(HEARD_FOR / 2).await;
        roster.heard(&"c".into(), says("9.0.0"));
        let members = roster.members();
        let shown: Vec<_> = members.iter().map(|of| (&*of.name, of.version.as_deref(), of.is_this)).collect();
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(shown, [("a", None, false), ("b", Some(own), true), ("c", Some("9.0.0"), false)]);
        assert_eq!(roster.versions().len(), 3);
        // It was started anew with another version.
        roster.heard(&"c".into(), says(own));
        assert_eq!(roster.versions().len(), 2);
        tokio::time::advance(HEARD_FOR).await;
        assert_eq!((roster.members().len(), roster.versions().len()), (1, 1));
    }
}
