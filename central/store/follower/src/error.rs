//! What may go wrong with a database that follows the log.

/// Why it could not be read or written. After any of them everything is as it was, and the log holds
/// what is missing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium is full.
    #[error("{place}: the disk is full; make room there, or lower the store's disk quota")]
    Full {
        /// File or database.
        place: String,
    },
    /// The engine does not answer, is locked or refused. Try again.
    #[error("{place}: cannot {action}")]
    Unavailable {
        /// File or database.
        place: String,
        /// What was tried.
        action: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood.
    #[error("{place} is damaged ({what}); move it away: it is filled again from what the log still holds")]
    Corrupt {
        /// File or database.
        place: String,
        /// What was found.
        what: String,
    },
    /// It was written by a newer version.
    #[error("{place} has layout {found}, this version knows up to {known}; upgrade, or move it away")]
    Newer {
        /// File or database.
        place: String,
        /// Layout found.
        found: i64,
        /// Newest layout known.
        known: i64,
    },
}

impl StoreError {
    /// The error with its causes, in one line for people.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
