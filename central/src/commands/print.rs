//! How commands show what they made.

use goldentime_model::UnixNanos;

use crate::access::secret::Secret;

/// An instant, to the second, UTC.
#[must_use]
pub fn shown(at: UnixNanos) -> String {
    let at = jiff::Timestamp::from_second(at.second().0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant, or what stands for none.
#[must_use]
pub fn shown_or(at: Option<UnixNanos>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), shown)
}

/// The link by which an account is set up. The secret follows the `#`, so no server's log has it.
#[must_use]
pub fn setup_url(page: &str, secret: &Secret) -> String {
    format!("{page}#/setup/{secret}")
}
