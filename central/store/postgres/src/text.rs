//! Free text as PostgreSQL can keep it: everything but the character NUL.

/// What stands for NUL, which no name or message has a use for.
const REPLACEMENT: &str = "\u{fffd}";

/// The text with every NUL replaced.
#[must_use]
pub fn text(free: &str) -> String {
    free.replace('\0', REPLACEMENT)
}
