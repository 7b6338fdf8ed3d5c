//! The contract of the desk.

use goldentime_model::UnixNanos;

use super::{Acknowledgement, AlertEvent, Silence, Told};
use crate::AlertRecord;
use crate::store::{BoxFuture, CatalogueError};

/// Silences, acknowledgements and notes, and what an episode went through. As [`crate::Catalogue`]: idempotent, atomic
/// and cancel-safe, read your writes, errors leave everything as it was.
pub trait Desk: Send + Sync + 'static {
    /// Keeps a silence under its id. One that is there and was edited later, or at the same instant, stays; then
    /// it gives `false`.
    fn put_silence(&self, silence: Silence) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// Silences that end after an instant, those that end last first, at most [`crate::ROWS_MAX`].
    fn silences(&self, ending_after: UnixNanos) -> BoxFuture<'_, Result<Vec<Silence>, CatalogueError>>;

    /// One silence.
    fn silence(&self, id: String) -> BoxFuture<'_, Result<Option<Silence>, CatalogueError>>;

    /// Adds to the history of an episode; an event whose id is known is left as it is. An acknowledgement that is
    /// later than the one in force takes its place, [`super::EventKind::Unacknowledged`] ends those that are not later.
    fn note(&self, event: AlertEvent) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// Every acknowledgement in force of an episode that fires, at most [`crate::ROWS_MAX`].
    fn acknowledgements(&self) -> BoxFuture<'_, Result<Vec<Acknowledgement>, CatalogueError>>;

    /// What people did about an episode, oldest first, at most [`crate::ROWS_MAX`].
    fn events(&self, episode: String) -> BoxFuture<'_, Result<Vec<AlertEvent>, CatalogueError>>;

    /// The pages of an episode that ended, oldest first.
    fn told(&self, episode: String) -> BoxFuture<'_, Result<Vec<Told>, CatalogueError>>;

    /// An episode in any state.
    fn alert(&self, episode: String) -> BoxFuture<'_, Result<Option<AlertRecord>, CatalogueError>>;

    /// Forgets silences that ended, and what was done, before `before`; gives how many. What was done about an
    /// episode that the catalogue has is kept.
    fn prune_desk(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>>;
}
