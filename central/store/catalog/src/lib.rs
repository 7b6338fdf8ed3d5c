//! The catalogue: what must outlive the central about alerts and their pages.
//!
//! [`record`] is what is kept (notifications, claims, dead letters; alerts are
//! [`goldentime_model::Alert`]), [`store`] the contract, [`sqlite`] the embedded backend in a file of
//! its own, and [`conformance`] the suite that every backend passes.

pub mod conformance;
pub mod record;
pub mod sqlite;
pub mod store;

pub use record::{AlertRecord, Claim, DeadLetter, HistoryQuery, Notification, Outcome, PageKey, PageKind};
pub use sqlite::SqliteCatalogue;
pub use store::{BoxFuture, Catalogue, CatalogueError, ROWS_MAX};
