//! SQLite's errors in the words of the contract.

use std::path::Path;

use goldentime_follower::StoreError;

/// An engine's error as one of this file.
pub(super) fn failed(action: &'static str, place: &Path, source: sqlx::Error) -> StoreError {
    let file = place.display().to_string();
    if goldentime_sqlite::is_full(&source) {
        return StoreError::Full { place: file };
    }
    let code = source.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
    // SQLITE_CORRUPT is 11, SQLITE_NOTADB 26, SQLITE_IOERR_SHORT_READ 522.
    match (code, code & 0xff) {
        (522, _) | (_, 11 | 26) => StoreError::Corrupt { place: file, what: source.to_string() },
        _ => StoreError::Unavailable { place: file, action, source: Box::new(source) },
    }
}

/// A file-system error.
pub(super) fn io_failed(action: &'static str, place: &Path, source: std::io::Error) -> StoreError {
    StoreError::Unavailable { place: place.display().to_string(), action, source: Box::new(source) }
}
