//! Whether Kafka answers, and whether its topics can be written to as they are.

use goldentime_kafka::Cluster;
use goldentime_model::config::Check;

use super::needs::chain;
use crate::ship::uplink::kafka::{Config, look};

/// Asks, and gives the partitions of the topics. Settings that no client can be made of are refused; the
/// rest is advice, since `run` goes on trying.
pub(super) fn partitions(config: &Config, check: &mut Check, advice: &mut Vec<String>) -> Option<u32> {
    if let Err(failure) = Cluster::new(&config.connection) {
        check.refuse("kafka.connection", failure.to_string());
        return None;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            advice.push(format!("Kafka was not asked: {error}"));
            return None;
        }
    };
    let looked = runtime.block_on(look(config));
    // What is left of the client ends with the program.
    runtime.shutdown_background();
    match looked {
        Ok(partitions) => Some(partitions),
        Err(error) => {
            advice.push(format!("nothing can be sent to Kafka now: {}", chain(&error)));
            None
        }
    }
}
