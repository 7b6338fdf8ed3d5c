//! What can go wrong with Kafka, said so that somebody can mend it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why something did not work with Kafka.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// A setting cannot be used, such as a file that cannot be read.
    #[error("Kafka: {setting}: {what}")]
    Setting {
        /// librdkafka's name of it.
        setting: String,
        /// What is wrong; never the value.
        what: String,
    },
    /// It does not answer, or cannot now. Try again.
    #[error("Kafka: cannot {action}: {what}")]
    Unavailable {
        /// What was tried.
        action: String,
        /// What is wrong, as far as it is known.
        what: String,
    },
    /// The user may not do it.
    #[error("Kafka: cannot {action}: this user lacks the right to; grant it {rights}")]
    Denied {
        /// What was tried.
        action: String,
        /// What to grant.
        rights: String,
    },
    /// A record is larger than the topic takes.
    #[error(
        "Kafka: a record of {bytes} bytes is larger than the {bytes_max} that topic {topic} is meant to take"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// The record's size.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// A topic takes no record of this size.
    #[error(
        "Kafka: topic {topic} refuses a batch with a record of {bytes} bytes; raise its `max.message.bytes`"
    )]
    Refused {
        /// The topic.
        topic: String,
        /// The record's size.
        bytes: usize,
    },
    /// Another process uses the same member name.
    #[error("Kafka: another process is member `{member}` of group {group}; give each a name of its own")]
    Fenced {
        /// The group.
        group: String,
        /// The name.
        member: String,
    },
    /// Somebody else owns the partition now.
    #[error("Kafka: this process is not the owner any more")]
    Stale,
    /// Whoever does the work has ended.
    #[error("Kafka: stopping")]
    Stopped,
}

impl KafkaFailure {
    /// What `error` means for an `action`, which needs `rights`.
    #[must_use]
    pub fn of(action: &str, rights: &str, error: &KafkaError) -> Self {
        if let KafkaError::ClientConfig(_, what, setting, _) = error {
            return Self::Setting { setting: setting.clone(), what: what.clone() };
        }
        let code = match error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
            ) => Self::Denied { action: action.to_owned(), rights: rights.to_owned() },
            Some(
                RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::AssignmentLost,
            ) => Self::Stale,
            Some(code) => Self::Unavailable { action: action.to_owned(), what: code.to_string() },
            None => Self::Unavailable { action: action.to_owned(), what: error.to_string() },
        }
    }

    /// Whether it may go by itself: nothing has to be changed.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The same with what the client last said of its brokers, where there is nothing better.
    #[must_use]
    pub fn with_trouble(self, trouble: Option<String>) -> Self {
        match (self, trouble) {
            (Self::Unavailable { action, what }, Some(trouble)) => {
                Self::Unavailable { action, what: format!("{what} ({trouble})") }
            }
            (other, _) => other,
        }
    }
}
