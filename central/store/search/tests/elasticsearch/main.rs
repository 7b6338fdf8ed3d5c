//! Elasticsearch and OpenSearch as the log store, on real servers: the conformance suite, and what only a server can
//! suffer.

mod data_streams;
mod faults;
mod keeps;
mod refusals;
#[path = "../scan/mod.rs"]
mod scan;
mod searches;
mod server;
