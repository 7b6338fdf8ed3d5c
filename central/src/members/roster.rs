//! Which centrals there are, and what each of them does. A part of the work that nobody does must not go unnoticed:
//! without a word a page would wait for ever.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::word::Presence;
use crate::notify::ChannelHealth;
use crate::roles::{Role, Roles};

/// A member that was not heard for so long is none: each says every five seconds that it is there.
const HEARD_FOR: Duration = Duration::from_secs(15);
/// What is missing is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The members of a cluster. Cheap to clone; all clones show the same.
#[derive(Clone)]
pub struct Roster(Arc<Mutex<Known>>);

struct Known {
    own: Roles,
    /// Since when every word was heard that others said; none while the log does not answer.
    listening: Option<Instant>,
    others: HashMap<Arc<str>, (Presence, Instant)>,
}

impl Roster {
    /// Of a central with these roles, of which nobody else is known yet.
    #[must_use]
    pub fn new(own: Roles) -> Self {
        Self(Arc::new(Mutex::new(Known { own, listening: None, others: HashMap::new() })))
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

    /// Members by role, this one included; none while that is not known.
    fn counts(&self) -> Option<[(Role, usize); 4]> {
        let mut known = self.lock();
        let is_known = known.listening.is_some_and(|since| since.elapsed() >= HEARD_FOR);
        known.others.retain(|_, (_, heard)| heard.elapsed() < HEARD_FOR);
        let members = |role: Role| {
            let others = known.others.values().filter(|(presence, _)| presence.roles.has(role)).count();
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
        let mut known = self.lock();
        let (before, at) =
            known.others.entry(Arc::clone(member)).or_insert_with(|| (Presence::default(), Instant::now()));
        *at = Instant::now();
        if let Some(presence) = presence {
            *before = presence;
        }
    }

    /// How the channels do over which the others send, by name.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelHealth> {
        let mut channels: BTreeMap<String, ChannelHealth> = BTreeMap::new();
        let known = self.lock();
        let present = known.others.values().filter(|(_, heard)| heard.elapsed() < HEARD_FOR);
        for channel in present.flat_map(|(presence, _)| presence.channels.iter().cloned()) {
            match channels.get_mut(&channel.name) {
                Some(known) => known.add(channel),
                None => {
                    channels.insert(channel.name.clone(), channel);
                }
            }
        }
        channels.into_values().collect()
    }

    /// Tells of roles that go missing and come back, for ever.
    pub(super) async fn watch(self) {
        let mut missing = Vec::new();
        loop {
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
        Some(Presence { roles: roles(of), channels: Vec::new() })
    }

    #[tokio::test]
    async fn a_channel_over_which_several_send_is_shown_as_it_fares_with_the_worst_of_them() {
        let roster = Roster::new(roles(&[Role::Api]));
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
        let roster = Roster::new(roles(&[Role::Gateway, Role::Api]));
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
        let roster = Roster::new(roles(&[Role::Api]));
        roster.listens(true);
        tokio::time::advance(HEARD_FOR).await;
        roster.heard(&"of the first version".into(), None);
        assert_eq!(roster.missing(), []);
        tokio::time::advance(HEARD_FOR).await;
        assert_eq!(roster.missing(), [Role::Gateway, Role::Process, Role::Notify]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_missing_while_the_log_does_not_answer_and_right_after_that() {
        let roster = Roster::new(roles(&[Role::Process]));
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
}
