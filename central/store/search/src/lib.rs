//! Log lines: kept under their identity, found by text, level, service, host, trace and time.
//!
//! [`line`] is what is kept, [`query`] what can be asked for ([`terms`] reads the search box, [`fold`]
//! says when two texts are the same), [`page`] the answers, and [`store`] the contract. [`sqlite`] is
//! the embedded backend: segment files of compressed blocks with a full-text index of [`grams`].
//! [`elastic`] is the cluster's: a document for each line in Elasticsearch or OpenSearch, with the same grams.
//! [`conformance`] is the suite that every backend passes.

pub mod conformance;
pub mod elastic;
pub mod fold;
mod grams;
pub mod level;
pub mod line;
pub mod page;
pub mod query;
pub mod sqlite;
pub mod store;
pub mod terms;

pub use elastic::{ElasticConfig, ElasticLogs};
pub use level::{Level, Levels};
pub use line::{Identity, Line, LineId, NewLine};
pub use page::{Bucket, Context, Histogram, Page, PageRequest, Span};
pub use query::{Query, ServicePattern};
pub use sqlite::{LogsConfig, SqliteLogs};
pub use store::{Dropped, LogStore, Rejected, Rejects, StoreStats};
pub use terms::Terms;
