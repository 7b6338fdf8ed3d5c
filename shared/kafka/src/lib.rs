//! The way to Kafka, for whoever produces to the ingest log or reads it.
//!
//! [`config`] is what can be set about the connection, [`client`] makes a client of it that says what
//! ails it, [`repeats`] says once what comes again and again, [`brokers`] keeps it from forgetting
//! where Kafka is, [`error`] is what can go wrong, [`topic`] what the topics are called, [`cluster`] looks
//! at those that are there, [`producer`] sends records so that their order is never broken, and
//! [`transactions`] sends some together with the offsets that they came from.

pub mod brokers;
pub mod client;
pub mod cluster;
pub mod config;
pub mod error;
pub mod producer;
pub mod repeats;
pub mod topic;
pub mod transactions;

pub use client::{Context, Trouble, client};
pub use cluster::{Cluster, Found, Partitions};
pub use config::{KafkaConfig, KafkaSasl, KafkaTls, SaslMechanism};
pub use error::KafkaFailure;
pub use producer::{Outgoing, Placed, Producer, ProducerHandle, ProducerLimits, Receipt};
pub use topic::{Topic, TopicNames};
pub use transactions::{TransactionFailure, Transactions};
