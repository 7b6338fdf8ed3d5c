//! Whom the store knew when it last answered. While it is away nobody can be asked for, and nobody can be
//! let in or turned out either: who was known until then stays known.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use goldentime_catalog::{Account, ApiToken, CatalogueError, SecretHash, Session};
use goldentime_model::UnixNanos;

/// An answer counts for as long before the store went away. Pages that are open are asked for every few
/// seconds.
const FRESH_NS: i64 = 60 * 1_000_000_000;

/// Credentials that are remembered; the one that was asked for the longest ago makes room.
const ENTRIES_MAX: usize = 4096;

/// Memory of them: names have at most 256 bytes.
pub(super) const MEMORY_BYTES_MAX: u64 = ENTRIES_MAX as u64 * 1024;

/// What the store said of a credential.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Whether there is any account.
    Accounts(bool),
    /// A session that is there.
    Session(Box<(Session, Account)>),
    /// A token that is there.
    Token(Box<ApiToken>),
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Accounts,
    Session(SecretHash),
    Token(SecretHash),
}

/// Answers of late. Bounded.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    answers: HashMap<Question, (UnixNanos, Answer)>,
    /// When the store last answered anything.
    heard: UnixNanos,
}

impl Known {
    /// What the store says, or what it said when it was last heard. An answer that nothing is there is not
    /// remembered: it lets nobody in.
    pub(super) fn or_remembered(
        &self,
        question: Question,
        now: UnixNanos,
        said: Result<Option<Answer>, CatalogueError>,
    ) -> Result<Option<Answer>, CatalogueError> {
        let mut table = self.lock();
        match said {
            Ok(answer) => {
                table.heard = table.heard.max(now);
                table.note(question, now, answer.clone());
                Ok(answer)
            }
            Err(error @ CatalogueError::Unavailable { .. }) => {
                let remembered = table.remembered(question).ok_or(error)?;
                metrics::counter!("goldentime_access_remembered_total").increment(1);
                Ok(Some(remembered))
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets credentials that this central ended.
    pub(super) fn forget(&self, has_ended: impl Fn(&Question) -> bool) {
        self.lock().answers.retain(|question, _| !has_ended(question));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn note(&mut self, question: Question, now: UnixNanos, answer: Option<Answer>) {
        let Some(answer) = answer else {
            self.answers.remove(&question);
            return;
        };
        if self.answers.len() >= ENTRIES_MAX && !self.answers.contains_key(&question) {
            let oldest = self.answers.iter().min_by_key(|(_, (at, _))| *at).map(|(question, _)| *question);
            oldest.map(|oldest| self.answers.remove(&oldest));
        }
        self.answers.insert(question, (now, answer));
    }

    fn remembered(&self, question: Question) -> Option<Answer> {
        let (at, answer) = self.answers.get(&question)?;
        // The last admin cannot be removed: where there was an account there is one.
        let lasts = matches!(answer, Answer::Accounts(true));
        (lasts || self.heard.since(*at) <= FRESH_NS).then(|| answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<Option<Answer>, CatalogueError> {
        let source = "refused".into();
        Err(CatalogueError::Unavailable { backend: "test", action: "ask", source })
    }

    fn at(seconds: i64) -> UnixNanos {
        UnixNanos(seconds * 1_000_000_000)
    }

    #[test]
    fn who_was_known_just_before_the_store_went_away_stays_known_however_long_it_lasts() {
        let known = Known::default();
        let accounts = Question::Accounts;
        assert!(known.or_remembered(accounts, at(100), away()).is_err(), "never heard");
        known.or_remembered(accounts, at(100), Ok(Some(Answer::Accounts(false)))).expect("said");
        let later = known.or_remembered(accounts, at(100_000), away());
        assert!(matches!(later, Ok(Some(Answer::Accounts(false)))), "{later:?}");
    }

    #[test]
    fn what_was_last_asked_long_before_the_store_went_away_may_have_changed_since() {
        let known = Known::default();
        let other = Question::Session(SecretHash([7; 32]));
        known.or_remembered(Question::Accounts, at(100), Ok(Some(Answer::Accounts(false)))).expect("said");
        known.or_remembered(other, at(161), Ok(None)).expect("said");
        assert!(known.or_remembered(Question::Accounts, at(162), away()).is_err());
        known.or_remembered(Question::Accounts, at(163), Ok(Some(Answer::Accounts(true)))).expect("said");
        known.or_remembered(other, at(1_000), Ok(None)).expect("said");
        let lasting = known.or_remembered(Question::Accounts, at(1_001), away());
        assert!(matches!(lasting, Ok(Some(Answer::Accounts(true)))), "accounts do not all go");
    }

    #[test]
    fn what_has_ended_is_not_remembered() {
        let known = Known::default();
        known.or_remembered(Question::Accounts, at(100), Ok(Some(Answer::Accounts(false)))).expect("said");
        known.forget(|question| *question == Question::Accounts);
        assert!(known.or_remembered(Question::Accounts, at(101), away()).is_err());
    }
}
