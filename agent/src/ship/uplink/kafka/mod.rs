//! Straight to Kafka: [`identity`] is who this agent is where no central says so, [`layout`] finds out
//! whether the topics are there and how they are cut, [`link`] goes on sending as they change, and
//! [`session`] sends over one producer: a [`sender`] gives records in, [`receipts`] tell when they are
//! durable.

mod config;
mod identity;
mod layout;
mod link;
mod receipts;
mod sender;
mod session;

pub use config::Config;
pub use identity::{AgentIdError, agent_id, kept_agent_id};
use layout::{Layout, LayoutError};
pub use link::KafkaLink;

/// What librdkafka takes beside the records: its threads, connections and metadata.
const CLIENT_BYTES: u64 = 16 << 20;

/// Asks whether the topics can be used, and into how many partitions each is cut.
pub(crate) async fn look(config: &Config) -> Result<u32, LayoutError> {
    Ok(Layout::look(config).await?.partitions)
}

/// Most memory taken beside the queues.
#[must_use]
pub fn memory_bytes_max(config: &Config) -> u64 {
    // Kafka's library has a copy of each record that is on its way.
    CLIENT_BYTES + 2 * config.waiting_bytes_max.get()
}
