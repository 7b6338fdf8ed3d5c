//! Real servers of the cluster, each in a temporary folder of its own and on a free port.

pub mod elasticsearch;
pub mod kafka;
mod nobody;
pub mod opensearch;
pub mod postgres;
pub mod redis;
