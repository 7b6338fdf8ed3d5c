//! What is understood of a word. A member of another version may say more than this one knows, or less: what is
//! understood counts, what is not is passed over, and who spoke is there either way.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::word::{Said, Word};

/// A word as far as it is understood.
#[derive(Debug)]
pub(super) struct Heard {
    /// Who says it.
    pub(super) member: Arc<str>,
    /// What is understood of it.
    pub(super) said: Option<Said>,
    /// What is not.
    pub(super) unread: Option<Unread>,
}

/// What is not understood of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// All: of such words this version knows nothing.
    Kind,
    /// All: this version knows such words otherwise.
    Content,
    /// Parts of it.
    Parts,
}

impl Unread {
    /// Its name in metrics and logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Content => "content",
            Self::Parts => "parts",
        }
    }
}

/// A word of which only who says it is known yet.
#[derive(Deserialize)]
struct Envelope {
    member: Arc<str>,
    #[serde(default)]
    said: Value,
}

/// Reads a word. An error: nobody can have said that.
pub(super) fn hear(bytes: &[u8]) -> Result<Heard, serde_json::Error> {
    if let Ok(Word { member, said }) = serde_json::from_slice(bytes) {
        return Ok(Heard { member, said: Some(said), unread: None });
    }
    let Envelope { member, mut said } = serde_json::from_slice(bytes)?;
    let kind = said["kind"].as_str().unwrap_or_default().to_owned();
    let mut is_cut = false;
    if let Some(of) = said.get_mut("of") {
        is_cut = cut(&kind, of);
    }
    let (said, unread) = match serde_json::from_value::<Said>(said) {
        Ok(said) => (Some(said), is_cut.then_some(Unread::Parts)),
        Err(_) if Said::KINDS.contains(&&*kind) => (None, Some(Unread::Content)),
        Err(_) => (None, Some(Unread::Kind)),
    };
    Ok(Heard { member, said, unread })
}

/// Takes out of a word's content what is not understood of it, where the rest means something. Whether anything was.
fn cut(kind: &str, of: &mut Value) -> bool {
    match kind {
        "agents" => keep::<crate::ingest::agents::AgentStatus>(of),
        "pages" => keep::<goldentime_catalog::Notification>(of),
        "present" => {
            let mut is_cut = of.get_mut("roles").is_some_and(keep::<crate::roles::Role>);
            is_cut |= of.get_mut("channels").is_some_and(keep::<crate::notify::ChannelHealth>);
            is_cut
        }
        "statuses" => {
            let services = of.get_mut("services").and_then(Value::as_array_mut);
            services.is_some_and(|services| {
                let of_each = services.iter_mut().filter_map(|service| service.get_mut(1));
                of_each.fold(false, |is_cut, of| keep::<crate::evaluate::status::RuleStatus>(of) | is_cut)
            })
        }
        _ => false,
    }
}

/// Keeps the items of a list that are understood. Whether any is gone.
fn keep<T: for<'a> Deserialize<'a>>(list: &mut Value) -> bool {
    let Some(items) = list.as_array_mut() else { return false };
    let before = items.len();
    items.retain(|item| T::deserialize(item).is_ok());
    items.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::word::Presence;
    use crate::roles::Role;

    fn heard(text: &str) -> Heard {
        hear(text.as_bytes()).expect("somebody says it")
    }

    #[test]
    fn a_member_of_a_newer_version_is_understood_as_far_as_it_can_be() {
        let word = heard(
            r#"{"member": "new", "since": 3, "said": {"kind": "present", "of": {"version": "9.1.0", "zone": "b",
                "roles": ["api", "archive"], "channels": [{"name": "ops", "state": "resting"}]}}}"#,
        );
        assert_eq!((&*word.member, word.unread), ("new", Some(Unread::Parts)));
        let Some(Said::Present(Presence { version, roles, channels })) = word.said else {
            panic!("{:?}", word.said)
        };
        assert_eq!(version.as_deref(), Some("9.1.0"));
        assert_eq!((roles.iter().collect::<Vec<_>>(), channels.len()), (vec![Role::Api], 0));
    }

    #[test]
    fn of_a_word_that_is_not_understood_its_speaker_is_known() {
        for (said, unread) in [
            (r#"{"kind": "telepathy", "of": {"deep": [1, 2]}}"#, Unread::Kind),
            (r#"{"kind": "alert", "of": "all is well"}"#, Unread::Content),
            (r#"{"kind": "statuses", "of": {"services": 3}}"#, Unread::Content),
            (r#"{"kind": 7}"#, Unread::Kind),
            ("[]", Unread::Kind),
            ("null", Unread::Kind),
        ] {
            let word = heard(&format!(r#"{{"member": "new", "said": {said}}}"#));
            assert_eq!((&*word.member, word.unread), ("new", Some(unread)), "{said}");
            assert!(word.said.is_none());
        }
        assert_eq!(heard(r#"{"member": "new"}"#).unread, Some(Unread::Kind));
        for noise in ["", "{", "[1]", r#"{"said": {"kind": "present", "of": {}}}"#, "\u{0}\u{1}"] {
            assert!(hear(noise.as_bytes()).is_err(), "{noise:?}");
        }
    }

    #[test]
    fn one_status_that_is_not_understood_keeps_back_no_other() {
        let good = serde_json::json!({
            "agent": "a", "project": "p", "environment": "e", "host": "web-1", "version": "0.1.0", "connected": true,
            "last_seen": 1, "clock_offset_ns": 0, "lines_read": 0, "spool_bytes": 0, "lag_ms": 0, "drops": {},
            "refused": 0, "forked": false, "mood": "fine"
        });
        let text =
            serde_json::json!({"member": "new", "said": {"kind": "agents", "of": [7, good]}}).to_string();
        let word = heard(&text);
        assert_eq!(word.unread, Some(Unread::Parts), "{word:?}");
        assert!(matches!(&word.said, Some(Said::Agents(agents)) if agents.len() == 1), "{word:?}");
    }
}
