//! Who asks, and what they may do. People sign in by name and password, programs bring an API token, and
//! a set-up link lets somebody in for the first time.
//!
//! [`gate`] tells who brings a credential, [`sign_in`] gives a session for a password, [`set_up`] an account
//! for a link, [`tokens`] are for programs, [`upkeep`] forgets what has ended. Below them: [`password`]
//! (argon2id, a bounded number at once), [`known`] (who was known when the store last answered), [`attempts`] (how often one may guess), [`secret`] (what is drawn
//! at random), [`principal`]. Whatever changes who has access is told to the log under the target
//! [`AUDIT`].

pub mod attempts;
pub mod gate;
mod known;
pub mod password;
pub mod principal;
pub mod secret;
pub mod set_up;
pub mod sign_in;
pub mod tokens;
pub mod upkeep;

pub use gate::{Access, AccessError, Settings};
pub use principal::{By, Principal};

/// Target of the log's lines about access.
pub const AUDIT: &str = "audit";

/// Memory that access may take, in bytes.
#[must_use]
pub const fn memory_bound_bytes() -> u64 {
    password::MEMORY_BYTES_MAX + attempts::MEMORY_BYTES_MAX + known::MEMORY_BYTES_MAX
}
