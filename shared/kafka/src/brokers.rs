//! Keeps clients from forgetting where Kafka is.
//!
//! Brokers that just woke, all of them, answer for a moment that there are topics and no brokers. librdkafka then
//! lets go of every broker that it knew, its first ones too, and in some orders of events never looks for one again
//! (its issue 5301, in 2.10 and later): the client says nothing any more and does nothing, for good.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    rd_kafka_brokers_add, rd_kafka_brokers_learned_ids, rd_kafka_conf, rd_kafka_conf_get, rd_kafka_mem_free,
};
use rdkafka::client::Client;
use rdkafka::types::RDKafkaConfRes;

/// How often a client is to be looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Gives a client that knows no broker those of its settings again. Where it is only that none was reached yet,
/// nothing changes. Asks nobody; to be called every [`LOOK_EVERY`] for as long as the client is used.
pub fn remember<C: ClientContext>(client: &Client<C>) {
    let native = client.native_ptr();
    let mut known = 0;
    // SAFETY: `native` lives as long as `client`; the list that is given is ours to free, and may be null.
    unsafe {
        let ids = rd_kafka_brokers_learned_ids(native, &raw mut known);
        rd_kafka_mem_free(native, ids.cast());
    }
    if known > 0 {
        return;
    }
    if let Some(first) = first_brokers(client) {
        // SAFETY: as above; `first` ends with a zero and is copied.
        unsafe { rd_kafka_brokers_add(native, first.as_ptr()) };
    }
}

/// The client's `bootstrap.servers`, with a zero at the end.
fn first_brokers<C: ClientContext>(client: &Client<C>) -> Option<Vec<c_char>> {
    let name = c"bootstrap.servers".as_ptr();
    let mut length = 0;
    // SAFETY: the settings live as long as the client; without a place to write to only the length is given.
    let asked = unsafe {
        rd_kafka_conf_get(rd_kafka_conf(client.native_ptr()), name, ptr::null_mut(), &raw mut length)
    };
    if asked != RDKafkaConfRes::RD_KAFKA_CONF_OK || length < 2 {
        return None;
    }
    let mut brokers = vec![0; length];
    // SAFETY: `brokers` has room for `length`, which includes the zero.
    let asked = unsafe {
        rd_kafka_conf_get(rd_kafka_conf(client.native_ptr()), name, brokers.as_mut_ptr(), &raw mut length)
    };
    (asked == RDKafkaConfRes::RD_KAFKA_CONF_OK && brokers.last() == Some(&0)).then_some(brokers)
}

#[cfg(test)]
mod tests {
    use rdkafka::config::{ClientConfig, FromClientConfig};
    use rdkafka::consumer::{BaseConsumer, Consumer};

    use super::*;

    #[tokio::test]
    async fn the_first_brokers_of_a_client_are_those_of_its_settings() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1,127.0.0.1:2").set("group.id", "test");
        let consumer = BaseConsumer::from_config(&config).expect("made");
        let first = first_brokers(consumer.client()).expect("set");
        let text: Vec<u8> = first.iter().map(|letter| *letter as u8).collect();
        assert_eq!(text, b"127.0.0.1:1,127.0.0.1:2\0");
        // Nobody answers there: it is given what it has.
        remember(consumer.client());
    }
}
