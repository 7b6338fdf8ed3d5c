//! What can go wrong with window state and checkpoints.

/// Why window state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine does not answer or refused. Try again; evaluation goes on from memory meanwhile.
    #[error("window store {backend}: cannot {action}")]
    Unavailable {
        /// Backend's name.
        backend: &'static str,
        /// What was tried.
        action: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer version wrote what is stored.
    #[error(
        "window store {backend}: {place} has layout {found}, but this version knows only {known}; upgrade, or move it away: windows are rebuilt from the log"
    )]
    Newer {
        /// Backend's name.
        backend: &'static str,
        /// File or key.
        place: String,
        /// Its layout.
        found: u64,
        /// Newest layout known.
        known: u64,
    },
    /// What is stored cannot be understood.
    #[error("window store {backend}: {what} is corrupt")]
    Corrupt {
        /// Backend's name.
        backend: &'static str,
        /// Which cell or checkpoint.
        what: String,
    },
}
