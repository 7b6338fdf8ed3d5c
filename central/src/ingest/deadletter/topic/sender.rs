//! Gives what is refused here to the topic.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use goldentime_kafka::{KafkaFailure, Placed};
use goldentime_log::kafka::DeadLetterTopic;
use tokio::sync::mpsc;

use crate::ingest::deadletter::post::Posted;

/// What became of a letter.
type Sent = (Posted, Result<Placed, KafkaFailure>);

/// Sends letters, and tells those who wait once Kafka has them. What is under way holds its room: there is no more of
/// it than the queue takes.
pub(super) struct Sender {
    topic: DeadLetterTopic,
    waiting: mpsc::Receiver<Posted>,
    under_way: FuturesUnordered<BoxFuture<'static, Sent>>,
}

impl Sender {
    pub(super) fn new(topic: DeadLetterTopic, waiting: mpsc::Receiver<Posted>) -> Self {
        Self { topic, waiting, under_way: FuturesUnordered::new() }
    }

    /// Sends until nobody can refuse anything any more and Kafka has it all, or the producer gave up.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                posted = self.waiting.recv() => match posted {
                    Some(posted) => self.send(posted).await,
                    None => break,
                },
                Some(sent) = self.under_way.next() => settle(sent),
            }
        }
        // The producer ends with its last user, and says what it could not send.
        let Self { topic, mut under_way, .. } = self;
        drop(topic);
        while let Some(sent) = under_way.next().await {
            settle(sent);
        }
    }

    async fn send(&mut self, posted: Posted) {
        match self.topic.add(posted.letter.clone().into()).await {
            Ok(receipt) => self.under_way.push(Box::pin(async move { (posted, receipt.await) })),
            Err(failure) => settle((posted, Err(failure))),
        }
    }
}

fn settle((posted, sent): Sent) {
    match sent {
        Ok(_) => posted.done(),
        Err(failure) => posted.fail("not_sent", failure.into()),
    }
}
