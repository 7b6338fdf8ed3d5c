//! A client's settings, and what it says of itself.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::KafkaConfig;
use crate::repeats;

/// Longest pause between attempts to reach a broker, in milliseconds.
const RECONNECT_MS_MAX: &str = "1000";
/// Longest line of librdkafka that is passed on.
const LINE_CHARS_MAX: usize = 500;

/// The settings of a client that reaches Kafka as `config` says.
#[must_use]
pub fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    let timeout_ms = config.request_timeout.get().as_millis().to_string();
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", "goldentime")
        .set("socket.timeout.ms", &timeout_ms)
        .set("socket.connection.setup.timeout.ms", &timeout_ms)
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", RECONNECT_MS_MAX)
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("enable.metrics.push", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if let Some(tls) = &config.tls {
        let files = [
            ("ssl.ca.location", &tls.ca_file),
            ("ssl.certificate.location", &tls.certificate_file),
            ("ssl.key.location", &tls.key_file),
        ];
        for (setting, file) in files {
            if let Some(file) = file {
                client.set(setting, file.to_string_lossy());
            }
        }
        client.set("ssl.endpoint.identification.algorithm", "https");
    }
    if let Some(sasl) = &config.sasl {
        client
            .set("sasl.mechanism", sasl.mechanism.name())
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose());
    }
    client
}

/// What a client last said was wrong, until something works again. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// What is wrong.
    #[must_use]
    pub fn now(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, what: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.into());
    }

    /// Says this where nothing better is known.
    pub(crate) fn add(&self, what: &str) {
        if self.now().is_none() {
            repeats::warn("producer", &format!("Kafka: {what}"));
            self.set(what);
        }
    }

    /// Something works again.
    pub fn clear(&self) {
        repeats::tell_due();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Hears what a client says.
#[derive(Clone, Debug)]
pub struct Context {
    role: &'static str,
    trouble: Trouble,
}

impl Context {
    /// Of a client with this role, such as `producer`.
    #[must_use]
    pub fn new(role: &'static str, trouble: Trouble) -> Self {
        Self { role, trouble }
    }

    fn tell(&self, what: &str) {
        repeats::warn(self.role, &format!("Kafka: {what}"));
        self.trouble.set(what);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, _fac: &str, line: &str) {
        let line = cut(without_thread(line));
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => self.tell(line),
            RDKafkaLogLevel::Warning => repeats::warn(self.role, &format!("Kafka's client: {line}")),
            _ => tracing::debug!(role = self.role, "Kafka's client: {line}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // No trouble: whoever reads is told by its own queue.
        if matches!(error, KafkaError::PartitionEOF(_))
            || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
        {
            return;
        }
        let is_known = self.trouble.now().is_some();
        // Why each of them is away was said before.
        if is_known && error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        self.tell(cut(reason));
    }
}

impl ConsumerContext for Context {}

/// A line without the name of librdkafka's thread.
fn without_thread(line: &str) -> &str {
    line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(line, |(_, line)| line)
}

fn cut(line: &str) -> &str {
    line.char_indices().nth(LINE_CHARS_MAX).map_or(line, |(end, _)| &line[..end])
}
