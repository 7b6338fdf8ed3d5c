//! Passwords: which are taken, and their hashes (argon2id with the OWASP Password Storage Cheat Sheet's
//! parameters: 19 MiB, two passes, one lane).
//!
//! Hashing costs on purpose. One runs at a time, on a thread of its own, and a few wait; more are told to
//! come back, so signing in can neither take the memory nor the cores from judging and paging.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Fewest characters.
pub const CHARS_MIN: usize = 12;
/// Most bytes.
pub const BYTES_MAX: usize = 1024;
/// Fewest characters that are left when words and runs that everybody tries are taken away.
const UNCOMMON_MIN: usize = 6;
/// Fewest different characters.
const DISTINCT_MIN: usize = 5;
/// Words that everybody tries.
const COMMON: [&str; 14] = [
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "administrator",
    "admin",
    "goldentime",
    "letmein",
    "welcome",
    "changeme",
    "qwerty",
    "비밀번호",
    "관리자",
];
/// Rows of a keyboard that fingers run along.
const KEYBOARD: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// Hashings that wait for the one that runs.
const WAITING_MAX: usize = 32;
/// Random bytes of a salt.
const SALT_BYTES: usize = 16;
/// Memory that hashing may take: one at a time, and what waits for it.
pub const MEMORY_BYTES_MAX: u64 = (argon2::Params::DEFAULT_M_COST as u64 + 64) * 1024;

/// What is checked when there is no such account, so that a wrong name takes as long as a wrong password.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Z29sZGVudGltZS1kZWNveQ$\
                     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password is not taken. Texts are for people who choose one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too short to withstand guessing.
    #[error("the password has fewer than {CHARS_MIN} characters")]
    Short,
    /// Longer than anything that is typed.
    #[error("the password has more than {BYTES_MAX} bytes")]
    Long,
    /// Among the first that are tried.
    #[error("the password is among the first that are tried: take several words that do not belong together")]
    Trivial,
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// As many as allowed wait already.
    #[error("too many sign in at once")]
    Busy,
    /// The hash cannot be made or read.
    #[error("cannot hash a password: {0}")]
    Hash(String),
}

/// Refuses what guessing finds first.
pub fn check(password: &str, name: &str) -> Result<(), Weak> {
    if password.chars().count() < CHARS_MIN {
        return Err(Weak::Short);
    }
    if password.len() > BYTES_MAX {
        return Err(Weak::Long);
    }
    let mut rest = password.to_lowercase();
    let name = name.to_lowercase();
    let words = COMMON.iter().copied().chain((name.chars().count() >= 3).then_some(name.as_str()));
    for word in words {
        rest = rest.replace(word, "");
    }
    let distinct: std::collections::BTreeSet<char> = rest.chars().collect();
    if uncommon(&rest) < UNCOMMON_MIN || distinct.len() < DISTINCT_MIN { Err(Weak::Trivial) } else { Ok(()) }
}

/// Characters that do not just go on from the one before: `aaaa`, `1234` and `asdf` count one.
fn uncommon(text: &str) -> usize {
    let along = |a: char, b: char| {
        (a as u32).abs_diff(b as u32) <= 1
            || KEYBOARD.iter().any(|row| match (row.find(a), row.find(b)) {
                (Some(a), Some(b)) => a.abs_diff(b) <= 1,
                _ => false,
            })
    };
    let mut before = None;
    text.chars().filter(|&c| !before.replace(c).is_some_and(|before| along(before, c))).count()
}

/// Hashes passwords, one at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { waiting: Arc::new(Semaphore::new(1 + WAITING_MAX)), running: Arc::new(Semaphore::new(1)) }
    }
}

impl Passwords {
    /// The hash of a new password, in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| PasswordError::Hash(error.to_string()))?;
        let hashed =
            self.run(move || Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)).await?;
        hashed.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
    }

    /// Whether a password is the one that was hashed. Takes as long when there is no hash.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        let there = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        let verified =
            self.run(move || Argon2::default().verify_password(password.as_bytes(), hash.as_str())).await?;
        match verified {
            Ok(()) => Ok(there),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(PasswordError::Hash(error.to_string())),
        }
    }

    /// A caller that goes away does not make room: the thread works on, so it keeps its place.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        done.await.map_err(|error| PasswordError::Hash(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_long_and_trivial_passwords_are_refused() {
        assert_eq!(check("열한글자밖에안되는거", "kim"), Err(Weak::Short));
        assert_eq!(check(&"x7!k".repeat(300), "kim"), Err(Weak::Long));
        for trivial in [
            "password1234",
            "Passw0rd!!!!",
            "aaaaaaaaaaaaaa",
            "123456789012",
            "abcdefghijkl",
            "qwertyuiop12",
            "kim.minjun.kim.minjun",
            "goldentime2026",
            "비밀번호비밀번호비밀번호",
            "121212121212",
            "adminadmin123",
        ] {
            assert_eq!(check(trivial, "kim.minjun"), Err(Weak::Trivial), "{trivial}");
        }
        for good in ["correct horse battery", "k9#vTz!qLw2@", "바나나 기차 우산 열쇠"] {
            assert_eq!(check(good, "kim.minjun"), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_an_absent_account_never_matches() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery".into()).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery".into(), Some(hash.clone())).await.expect("checked"));
        assert!(!passwords.verify("wrong horse battery".into(), Some(hash)).await.expect("checked"));
        assert!(!passwords.verify("correct horse battery".into(), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back() {
        let passwords = Passwords::default();
        let _held = Arc::clone(&passwords.waiting).acquire_many_owned(33).await.expect("open");
        let refused = passwords.hash("correct horse battery".into()).await;
        assert!(matches!(refused, Err(PasswordError::Busy)), "{refused:?}");
    }
}
