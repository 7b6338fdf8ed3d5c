//! The catalogue: what must outlive the central about alerts and their pages, and about who may see them.
//!
//! Four contracts, each with its records and its suite, which every backend passes: [`store`] with
//! [`record`] and [`conformance`] for alerts and pages (notifications, claims, dead letters; alerts are
//! [`goldentime_model::Alert`]), [`desk`] for silences, acknowledgements and notes, [`access`] for
//! accounts, sessions, API tokens and set-up links,
//! [`registry`] for agents and the tokens that they join with. [`sqlite`] is the embedded backend of all, in
//! two files of its own, [`postgres`] that of a cluster.

pub mod access;
mod body;
pub mod conformance;
pub mod desk;
pub mod postgres;
pub mod record;
pub mod registry;
pub mod sqlite;
pub mod store;

pub use access::{AccessStore, Account, ApiToken, NewAccount, Removed, Role, SecretHash, Session, SetupLink};
pub use desk::{Acknowledgement, AlertEvent, Desk, EventKind, Silence, Told};
pub use postgres::PostgresCatalogue;
pub use record::{
    AlertRecord, Claim, Claimed, DeadLetter, HistoryQuery, Notification, Outcome, PageKey, PageKind,
};
pub use registry::AgentRegistry;
pub use sqlite::{SqliteCatalogue, SqliteRegistry};
pub use store::{BoxFuture, Catalogue, CatalogueError, ROWS_MAX};
