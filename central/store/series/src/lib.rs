//! The series store: what each service did, for a month.
//!
//! It follows the ingest log ([`goldentime_follower`]). [`rows`] is what one step of it brings, [`key`]
//! names a series, [`resolution`] the widths of buckets, [`reading`] a bucket of samples. [`store`] is
//! the contract, [`chart`] questions and answers, [`sqlite`] the embedded backend in a file of its own,
//! [`postgres`] that of a cluster, and [`conformance`] the suite that every backend passes.

pub mod chart;
mod choice;
mod columns;
pub mod conformance;
pub mod key;
pub mod postgres;
pub mod reading;
pub mod resolution;
pub mod rows;
pub mod sqlite;
mod state;
pub mod store;

pub use chart::{Chart, ChartQuery, MetricChart, Point, Requests, SamplesQuery, Span};
pub use key::{MetricKey, Part, SeriesKey};
pub use postgres::PostgresSeries;
pub use reading::Reading;
pub use resolution::Resolution;
pub use rows::Rows;
pub use sqlite::{SqliteSeries, SqliteSettings};
pub use store::{Keep, SeriesStore, Tended, Usage};
