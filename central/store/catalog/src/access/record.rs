//! What is kept about those who may use the central.

use std::fmt;
use std::str::FromStr;

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

/// Bytes of the hash of which a secret's id is made.
const ID_BYTES: usize = 6;

/// What somebody may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything, change nothing.
    Viewer,
    /// Also change what is judged and who is told.
    Editor,
    /// Also decide who may do what.
    Admin,
}

/// A text that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; there are viewer, editor and admin")]
pub struct NoRole(String);

impl Role {
    /// Name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        [Self::Viewer, Self::Editor, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| NoRole(text.to_owned()))
    }
}

/// SHA-256 of a random secret of at least 160 bits. There is nothing to guess, so a plain hash is enough,
/// and looking it up by an index tells nobody anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// First digits of the hash: enough to tell secrets apart, useless to whoever reads them.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({})", self.id())
    }
}

/// Somebody who signs in by name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// As its owner writes it. Two that differ in case alone are the same.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: UnixNanos,
}

/// An account that is to be made, or whose password is to be set.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// Hash of its password in PHC form.
    pub password_hash: String,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What became of an account that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone, and so are its sessions.
    Gone,
    /// There was none of that name.
    Unknown,
    /// It stays: without it nobody could decide who may do what.
    LastAdmin,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Hash of the cookie's value.
    pub secret: SecretHash,
    /// Name of its account.
    pub account: String,
    /// Where it signed in from.
    pub address: String,
    /// When it signed in.
    pub created_at: UnixNanos,
    /// When it was last used, to the minute.
    pub seen_at: UnixNanos,
    /// When it ends, however much it is used.
    pub ends_at: UnixNanos,
}

/// A program that may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Hash of the token.
    pub secret: SecretHash,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: UnixNanos,
    /// When it ends, if ever.
    pub expires_at: Option<UnixNanos>,
    /// When it was last used, to the minute.
    pub used_at: Option<UnixNanos>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixNanos>,
}

/// A link by which one person sets a name and a password, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupLink {
    /// Hash of its secret.
    pub secret: SecretHash,
    /// Role of the account that is made with it. An account that is there keeps its own.
    pub role: Role,
    /// The account that it is for; its holder chooses a new one's name if none is given.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: UnixNanos,
    /// When it ends.
    pub expires_at: UnixNanos,
}
