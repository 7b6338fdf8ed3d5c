//! The catalogue in PostgreSQL, shared by any number of centrals.
//!
//! [`alerts`] and [`notifications`] are the two halves of the one contract, [`access`], [`desk`] and [`registry`] the
//! others. A commit is on the server's disk when it is answered, as far as the server's `synchronous_commit` is not
//! switched off.

mod access;
mod alerts;
mod desk;
mod notifications;
mod registry;

use std::future::Future;
use std::sync::Arc;

use goldentime_model::{Alert, UnixNanos};
use goldentime_postgres::{Database, Error, Layout, Placed, PostgresConfig};

use crate::body;
use crate::store::{BoxFuture, Catalogue, CatalogueError};
use crate::{AlertRecord, Claim, Claimed, DeadLetter, HistoryQuery, Notification, Outcome};

const BACKEND: &str = "postgres";

const LAYOUT: Layout = Layout {
    part: "catalogue",
    steps: &[
        include_str!("../../../../../migrations/postgres/catalogue/0001_alerts_and_notifications.sql"),
        include_str!("../../../../../migrations/postgres/catalogue/0002_access.sql"),
        include_str!("../../../../../migrations/postgres/catalogue/0003_configuration.sql"),
        include_str!("../../../../../migrations/postgres/catalogue/0004_agents.sql"),
        include_str!("../../../../../migrations/postgres/catalogue/0005_what_people_decide.sql"),
    ],
};

/// The catalogue of a cluster. Cheap to clone; clones share their connections. The database is reached by
/// its first use that succeeds.
///
/// Leases go by the clocks of those who ask, as [`Claim`] has them: centrals whose clocks differ by more than
/// a lease may tell the same page twice.
#[derive(Clone, Debug)]
pub struct PostgresCatalogue {
    database: Arc<Database>,
}

/// Why a call did not end well.
enum Fault {
    Database(Error),
    Catalogue(CatalogueError),
}

impl PostgresCatalogue {
    /// A catalogue that nothing was asked of yet.
    #[must_use]
    pub fn new(config: PostgresConfig) -> Self {
        Self { database: Arc::new(Database::new(config, LAYOUT)) }
    }

    /// Brings the database to this version's layout, which its first use does as well.
    pub async fn migrate(&self) -> Result<(), CatalogueError> {
        let migrated = async { Ok(self.database.migrate().await?) };
        self.call("bring the database to this version's layout", migrated).await
    }

    async fn call<T>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, CatalogueError> {
        self.database.within(call).await.map_err(|fault| {
            let place = self.database.place();
            match fault {
                Fault::Catalogue(error) => error,
                Fault::Database(Error::Newer { found, known, .. }) => {
                    CatalogueError::Newer { backend: BACKEND, place, found, known }
                }
                Fault::Database(error) => {
                    let source = Box::new(Placed { place, error });
                    CatalogueError::Unavailable { backend: BACKEND, action, source }
                }
            }
        })
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<CatalogueError> for Fault {
    fn from(error: CatalogueError) -> Self {
        Self::Catalogue(error)
    }
}

fn encode<T: serde::Serialize>(what: &str, value: &T) -> Result<String, CatalogueError> {
    body::encode(BACKEND, what, value)
}

fn decode<T: serde::de::DeserializeOwned>(what: &str, body: &str) -> Result<T, CatalogueError> {
    body::decode(BACKEND, what, body)
}

fn encode_json<T: serde::Serialize>(what: &str, value: &T) -> Result<String, CatalogueError> {
    body::encode_json(BACKEND, what, value)
}

fn decode_json<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T, CatalogueError> {
    body::decode_json(BACKEND, what, json)
}

impl Catalogue for PostgresCatalogue {
    fn name(&self) -> &'static str {
        BACKEND
    }

    fn record_alert(&self, record: AlertRecord) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("record an alert", alerts::record(&self.database, record)))
    }

    fn active_alerts(&self) -> BoxFuture<'_, Result<Vec<AlertRecord>, CatalogueError>> {
        Box::pin(self.call("read active alerts", alerts::active(&self.database)))
    }

    fn history(&self, query: HistoryQuery) -> BoxFuture<'_, Result<Vec<Alert>, CatalogueError>> {
        Box::pin(self.call("read the alert history", alerts::history(&self.database, query)))
    }

    fn enqueue(&self, notifications: Vec<Notification>) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("queue a notification", notifications::enqueue(&self.database, notifications)))
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Claimed, CatalogueError>> {
        Box::pin(self.call("claim a page", notifications::claim(&self.database, claim)))
    }

    fn finish(
        &self,
        notification: Notification,
        attempts: u32,
        outcome: Outcome,
        at: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>> {
        let finished = notifications::finish(&self.database, notification, attempts, outcome, at);
        Box::pin(self.call("note how a notification ended", finished))
    }

    fn pending(&self) -> BoxFuture<'_, Result<Vec<Notification>, CatalogueError>> {
        Box::pin(self.call("read the delivery queue", notifications::pending(&self.database)))
    }

    fn dead_letters(&self, limit: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, CatalogueError>> {
        Box::pin(self.call("read the dead letters", notifications::dead_letters(&self.database, limit)))
    }

    fn prune(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        let pruned = async move {
            let alerts = alerts::prune(&self.database, before).await?;
            Ok(alerts + notifications::prune(&self.database, before).await?)
        };
        Box::pin(self.call("forget what has ended", pruned))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.database.close())
    }
}
