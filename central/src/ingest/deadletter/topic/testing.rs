//! A topic of letters without a broker, before the real database.

use goldentime_kafka::Outgoing;
use goldentime_log::Entry;
use goldentime_log::kafka::{Headers, Letter};
use goldentime_model::UnixNanos;

use crate::ingest::deadletter::config::DeadLettersConfig;
use crate::ingest::deadletter::postgres::PostgresLetters;

/// Letters as the topic has them, and where they are kept.
pub(in crate::ingest::deadletter) struct Topic {
    pub(in crate::ingest::deadletter) store: PostgresLetters,
    sent: Vec<(Headers, Entry)>,
    read: usize,
}

impl Topic {
    pub(in crate::ingest::deadletter) const fn over(store: PostgresLetters) -> Self {
        Self { store, sent: Vec::new(), read: 0 }
    }

    /// Sends a letter.
    pub(in crate::ingest::deadletter) fn append(&mut self, letter: Letter) {
        let Outgoing { headers, payload, .. } = letter.outgoing(&"dead".into(), 2 << 20);
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let offset = self.sent.len() as u64 + 1;
        let append_time = UnixNanos(i64::MAX - 1000 + i64::try_from(offset).expect("few"));
        self.sent.push((headers, Entry { partition: 0, offset, append_time, record: payload }));
    }

    /// Keeps what was not read yet.
    pub(in crate::ingest::deadletter) async fn read(&mut self) {
        self.read_from(self.read).await;
    }

    /// Keeps what follows.
    pub(in crate::ingest::deadletter) async fn read_from(&mut self, from: usize) {
        let all = self.sent[from..].iter();
        let letters: Vec<_> =
            all.map(|(headers, entry)| (Letter::read(headers, entry), entry.clone())).collect();
        self.store.keep(&letters).await.expect("kept");
        self.read = self.sent.len();
    }

    /// Drops what is too old or too much.
    pub(in crate::ingest::deadletter) async fn retain(&mut self, now: UnixNanos, bounds: &DeadLettersConfig) {
        let retention = i64::try_from(bounds.retention.get().as_nanos()).expect("short");
        let mut bytes = self.store.expire(now.saturating_add(-retention)).await.expect("dropped").bytes;
        while bytes > i64::try_from(bounds.bytes_max.get()).expect("few") {
            bytes -= self.store.drop_oldest().await.expect("dropped").iter().sum::<i64>();
        }
    }
}
