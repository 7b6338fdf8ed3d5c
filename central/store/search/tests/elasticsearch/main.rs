//! Elasticsearch as the log store, on a real server: the conformance suite, and what only a server can
//! suffer.

mod faults;
mod keeps;
mod refusals;
#[path = "../scan/mod.rs"]
mod scan;
mod searches;
mod server;
