//! What a server's failures mean, in the words of the contract.

use goldentime_follower::StoreError;
use serde::Deserialize;

/// Longest reason of a server that is passed on, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// What was answered is not what such a server answers.
    #[error("cannot understand the answer ({0}); is this an Elasticsearch or OpenSearch server?")]
    Garbled(String),
    /// A larger answer than any that was asked for.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// 401.
    #[error(
        "the server does not know the user or refuses the password or key; check `user`, `password` and `api_key`"
    )]
    Unknown,
    /// 403.
    #[error(
        "the user may not do this ({0}); give it the privileges `monitor` and `manage_index_templates` on the cluster and `all` on the prefix's indices"
    )]
    Forbidden(String),
    /// The disk's watermark, or an operator.
    #[error("the server takes no writes at present ({0})")]
    Blocked(String),
    /// Too much to do.
    #[error("the server is too busy ({0})")]
    Busy(String),
    /// Anything else that is no success.
    #[error("answered {status} {kind}: {reason}")]
    Refused { status: u16, kind: String, reason: String },
    /// Older than what is spoken here.
    #[error("{found} is older than {wanted}, the oldest that is served; upgrade the server")]
    TooOld { found: String, wanted: &'static str },
    /// It stands there under the name that was to be used, and is not ours.
    #[error("`{0}` was not made by Goldentime; choose another `prefix`, or move it away")]
    Foreign(String),
}

impl Failure {
    /// As an error of the store at `place`.
    pub(super) fn of(self, place: &str, action: &'static str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Blocked(_) => StoreError::Full { place },
            other => StoreError::Unavailable { place, action, source: Box::new(other) },
        }
    }

    /// Whether the same request may succeed a little later.
    pub(super) const fn passes(&self) -> bool {
        matches!(self, Self::Blocked(_) | Self::Busy(_))
    }
}

/// An error as servers write it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) caused_by: Option<Box<Told>>,
}

impl Told {
    /// The reason with its causes, shortened.
    pub(super) fn whole_reason(&self) -> String {
        let mut text = self.reason.clone();
        let mut cause = self.caused_by.as_deref();
        while let Some(told) = cause {
            text = format!("{text}: {}", told.reason);
            cause = told.caused_by.as_deref();
        }
        text.chars().take(REASON_CHARS_MAX).collect()
    }

    /// What an answer other than 2xx means.
    pub(super) fn judge(&self, status: u16) -> Failure {
        let reason = self.whole_reason();
        match status {
            401 => Failure::Unknown,
            _ if self.kind == "cluster_block_exception" => Failure::Blocked(reason),
            403 => Failure::Forbidden(reason),
            429 | 502..=504 => Failure::Busy(reason),
            _ => Failure::Refused { status, kind: self.kind.clone(), reason },
        }
    }

    /// Whether it is the document's own fault, which no repeat changes.
    pub(super) fn is_of_document(&self, status: u16) -> bool {
        const KINDS: [&str; 5] = [
            "document_parsing_exception",
            "mapper_parsing_exception",
            "strict_dynamic_mapping_exception",
            "parsing_exception",
            "x_content_parse_exception",
        ];
        status == 400 && (KINDS.contains(&self.kind.as_str()) || self.whole_reason().contains("immense term"))
    }
}
