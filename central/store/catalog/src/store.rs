//! The contract of the catalogue.

use std::future::Future;
use std::pin::Pin;

use goldentime_model::{Alert, UnixNanos};

use crate::{AlertRecord, Claim, Claimed, DeadLetter, HistoryQuery, Notification, Outcome};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most rows that one call returns, whatever its caller asks for.
pub const ROWS_MAX: u32 = 10_000;

/// Why the catalogue could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The engine does not answer or refused. Try again; pages are sent meanwhile all the same.
    #[error("catalogue {backend}: cannot {action}")]
    Unavailable {
        /// Backend's name.
        backend: &'static str,
        /// What was tried.
        action: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood.
    #[error("catalogue {backend}: {what} is corrupt: {reason}")]
    Corrupt {
        /// Backend's name.
        backend: &'static str,
        /// Which row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a newer version.
    #[error(
        "catalogue {backend}: {place} has layout {found}, this version knows up to {known}; \
         upgrade, or start with another state directory"
    )]
    Newer {
        /// Backend's name.
        backend: &'static str,
        /// File or database.
        place: String,
        /// Layout found.
        found: i64,
        /// Newest layout known.
        known: i64,
    },
}

/// Alert history, active alerts, the delivery queue and the claims on pages.
///
/// - **Idempotent.** Every write may be repeated: a second one changes nothing that the first did
///   not.
/// - **Atomic and cancel-safe.** A call takes effect wholly or not at all, also when its future is
///   dropped; a caller that gave up waiting does not know which.
/// - **Read your writes.** A call that starts after a write returned sees it.
/// - **Durable** over the end of the process, not necessarily over loss of power: a page lost from
///   the queue that way was an alert whose rule, evaluated again, fires again under the same
///   episode.
/// - **Errors** leave everything as it was, and calls after one may succeed.
pub trait Catalogue: Send + Sync + 'static {
    /// Backend's name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Writes an alert's state under its episode. An episode that is resolved stays so: a later
    /// write that has it firing (a replay of the log makes such) changes nothing and gives `false`.
    fn record_alert(&self, record: AlertRecord) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// Alerts that are firing, oldest first, at most [`ROWS_MAX`].
    fn active_alerts(&self) -> BoxFuture<'_, Result<Vec<AlertRecord>, CatalogueError>>;

    /// Alerts in any state, newest start first.
    fn history(&self, query: HistoryQuery) -> BoxFuture<'_, Result<Vec<Alert>, CatalogueError>>;

    /// Puts notifications into the delivery queue. One whose id is known already, in whatever state,
    /// is left as it is.
    fn enqueue(&self, notifications: Vec<Notification>) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// Gives those of the claim's pages that the asker may send: never claimed over this channel,
    /// claimed by the same owner, or claimed by another whose lease has ended; never one that was
    /// finished. What is given is leased until `lease_until`.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Claimed, CatalogueError>>;

    /// Notes how a notification ended or that it is being retried after `attempts` attempts. A final
    /// outcome finishes the claims on its pages and takes it out of the queue; it also stands if the
    /// notification was never enqueued. What ended first stays.
    fn finish(
        &self,
        notification: Notification,
        attempts: u32,
        outcome: Outcome,
        at: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// The delivery queue, oldest first, at most [`ROWS_MAX`], each marked as `recovered`.
    fn pending(&self) -> BoxFuture<'_, Result<Vec<Notification>, CatalogueError>>;

    /// What was given up, newest first.
    fn dead_letters(&self, limit: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, CatalogueError>>;

    /// Forgets alerts, notifications and claims that ended before `before`; gives how many. Firing
    /// alerts and pending notifications are never forgotten.
    fn prune(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>>;

    /// Waits for running calls and lets go of files or connections. Calls that come later fail.
    fn close(&self) -> BoxFuture<'_, ()>;
}
