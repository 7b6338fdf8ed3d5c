//! Dead letters.

use std::time::Duration;

use goldentime_log::kafka::letters::header;
use goldentime_log::kafka::{DeadLetterTopic, Letter, LetterKind, Topic};
use goldentime_model::UnixNanos;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::world::{World, config, shared};

#[tokio::test]
async fn a_letter_keeps_what_was_sent_and_why_it_was_refused() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    let letters = DeadLetterTopic::new(&world.config, world.producer.clone());
    let letter = |record: Vec<u8>| Letter {
        source: "agent a1".to_owned(),
        detail: "endpoint is blank".to_owned(),
        ..Letter::bare(UnixNanos(7), LetterKind::Record, "invalid_endpoint", record.into())
    };
    let too_large = world.config.record_bytes_max.as_usize() + 5;
    for record in [b"a record".to_vec(), vec![1; too_large]] {
        letters.add(letter(record)).await.expect("given in").await.expect("kept");
    }
    let mut client = goldentime_kafka::client(&world.config.connection);
    let consumer: BaseConsumer = client.set("group.id", "look").create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    let topic = Topic::DeadLetter.name(&world.config);
    list.add_partition_offset(&topic, 0, Offset::Beginning).expect("valid");
    consumer.assign(&list).expect("assigned");
    let (headers, payload) = read(&consumer);
    assert_eq!(payload, b"a record");
    let told = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(told(header::REASON), Some("invalid_endpoint"));
    assert_eq!(told(header::DETAIL), Some("endpoint is blank"));
    assert_eq!(told(header::SOURCE), Some("agent a1"));
    assert_eq!(told(header::AT_NS), Some("7"));
    assert_eq!((told(header::CUT_BYTES), told(header::KIND)), (None, Some("record")));
    let (headers, payload) = read(&consumer);
    let cut = headers.iter().find(|(key, _)| key == header::CUT_BYTES).expect("it was cut");
    assert_eq!(payload.len() + cut.1.parse::<usize>().expect("a number"), too_large);
}

fn read(consumer: &BaseConsumer) -> (Vec<(String, String)>, Vec<u8>) {
    let message = consumer.poll(Duration::from_secs(60)).expect("in time").expect("a message");
    let headers = message.headers().expect("headers").iter();
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    let headers = headers.map(|header| (header.key.to_owned(), text(header.value))).collect();
    (headers, message.payload().unwrap_or_default().to_vec())
}
