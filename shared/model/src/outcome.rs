//! How a request ended.

use serde::{Deserialize, Serialize};

/// How a request ended, as far as its service is to blame.
///
/// By default `server_error` and `timeout` spend the error budget; `client_error` does not.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered as asked (HTTP 1xx–3xx).
    Ok,
    /// The caller's fault (HTTP 4xx, and nginx's 499: the caller hung up).
    ClientError,
    /// The service's fault (HTTP 5xx other than 504).
    ServerError,
    /// No answer in time (HTTP 504).
    Timeout,
}

impl Outcome {
    /// All outcomes, in the order in which counts are stored and sent.
    pub const ALL: [Self; 4] = [Self::Ok, Self::ClientError, Self::ServerError, Self::Timeout];

    /// The outcome that an HTTP status stands for; `None` for a number that is no status.
    #[must_use]
    pub const fn from_http_status(status: u16) -> Option<Self> {
        match status {
            100..=399 => Some(Self::Ok),
            504 => Some(Self::Timeout),
            400..=499 => Some(Self::ClientError),
            500..=599 => Some(Self::ServerError),
            _ => None,
        }
    }

    /// Whether this outcome spends the error budget unless a rule says otherwise.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::ServerError | Self::Timeout)
    }

    /// Name as written in files and over the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
        }
    }
}
