//! Goldentime's central aggregator, in the order in which data flows through it:
//!
//! | station | takes | gives |
//! |---|---|---|
//! | [`ingest`] | QUIC frames of agents | records with offsets, in the log |
//! | [`merge`] | records | window cells, touched seconds |
//! | [`evaluate`] | touched seconds, ticks | transitions of rules |
//! | [`notify`] | transitions | pages, alert history |
//! | [`push`] | window state, alerts | WebSocket frames |
//! | [`persist`] | the log, read once more | rows in databases |
//! | [`api`] | HTTP requests | answers |
//!
//! No station calls back up the line; [`line`](mod@line) is what lies between intake and merge,
//! [`members`] what centrals that share a log tell each other, [`roles`] which of the stations one of them has;
//! [`publish`] writes to Redis what people and scripts read there. [`access`] says who may ask; [`backup`] copies the state folder from
//! another process; [`rehearse`] tries rules out where nobody is paged.

pub mod access;
pub mod api;
pub mod backup;
pub mod budget;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod evaluate;
pub mod ingest;
pub mod line;
pub mod loopback;
pub mod members;
pub mod merge;
pub mod notify;
pub mod persist;
pub mod places;
pub mod publish;
pub mod push;
pub mod rehearse;
pub mod roles;
pub mod serve;
