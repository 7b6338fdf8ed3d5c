//! Why a line of a datagram says nothing.

/// What is wrong with a line. Its name is the reason under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not `name:value|type`.
    #[error("the line is not of the form name:value|type")]
    Form,
    /// The name is empty.
    #[error("the metric has no name")]
    Name,
    /// The type is not known.
    #[error("the type is none of c, g, ms, h, d and s")]
    Kind,
    /// The value is no number that the type can take.
    #[error("the value is no finite number, or negative where it cannot be")]
    Value,
    /// The sample rate is no number in its range.
    #[error("the sample rate does not lie between 0.000001 and 1")]
    Rate,
    /// The timestamp is no time, or too old.
    #[error("the timestamp is no time in seconds, or older than timestamp_age_max")]
    Timestamp,
    /// An event is not of its form.
    #[error("the event is not of the form _e{{title bytes,text bytes}}:title|text")]
    Event,
    /// A service check is not of its form.
    #[error("the service check is not of the form _sc|name|status")]
    ServiceCheck,
}

impl Malformed {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 8] = [
        Self::Form,
        Self::Name,
        Self::Kind,
        Self::Value,
        Self::Rate,
        Self::Timestamp,
        Self::Event,
        Self::ServiceCheck,
    ];

    /// Name in metrics and `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "statsd_form",
            Self::Name => "statsd_name",
            Self::Kind => "statsd_type",
            Self::Value => "statsd_value",
            Self::Rate => "statsd_rate",
            Self::Timestamp => "statsd_timestamp",
            Self::Event => "statsd_event",
            Self::ServiceCheck => "statsd_service_check",
        }
    }
}
