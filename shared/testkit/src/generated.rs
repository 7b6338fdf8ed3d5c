//! Files that are generated and checked in: schemas, references.

use std::path::Path;

/// Writes such files anew instead of comparing them, when set.
const UPDATE: &str = "UPDATE";

/// Compares the file at `path` with what is generated today; with `UPDATE=1` in the environment it is
/// written first (`make docs`).
///
/// # Panics
/// When the file differs, or cannot be written.
pub fn assert_current(path: &Path, generated: &str) {
    if std::env::var_os(UPDATE).is_some_and(|update| update == "1") {
        std::fs::write(path, generated).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "{} is out of date: run `make docs` and commit what it wrote",
        path.display()
    );
}
