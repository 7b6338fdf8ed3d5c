//! Why Redis did not do what it was asked to, with the way out.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerError};
use goldentime_model::units::ByteSize;

use super::BACKEND;
use super::address::Address;
use crate::error::StoreError;

/// A failure. Never holds a password or what a command said.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{node} cannot be reached: {why}")]
    Away { node: Arc<str>, why: Arc<str> },
    #[error("no node of the cluster tells who owns this key; see the log for why")]
    Unrouted,
    #[error("{node} did not answer within {within:?}")]
    Slow { node: Arc<str>, within: Duration },
    #[error("Redis did not answer within {0:?}")]
    Late(Duration),
    #[error(
        "{0} has reached its `maxmemory` and takes no writes; give it more memory, or have fewer services"
    )]
    Full(Arc<str>),
    #[error("{0} does not let us in; check `user` and `password`")]
    Denied(Arc<str>),
    #[error(
        "{0} does not let the user do this: {1}; give it all commands on `metrics:*`, `slo:*`, `windows:*`"
    )]
    Forbidden(Arc<str>, String),
    #[error("{0} takes no writes: it is a replica, or stands under a limit of its own ({1})")]
    ReadOnly(Arc<str>, String),
    #[error("{node} is Redis {found}, and 6.2 is the oldest that will do; upgrade it")]
    TooOld { node: Arc<str>, found: String },
    #[error("{node} is {found} of a Redis Cluster; set `cluster: {wanted}`")]
    Mode { node: Arc<str>, found: &'static str, wanted: bool },
    #[error("{node}: {answer}")]
    Refused { node: Arc<str>, answer: String },
    #[error("{0} waits to be written already, which is the limit (`in_flight_bytes_max`)")]
    Busy(ByteSize),
    #[error("a newer state of this cell is under way; put the newest again")]
    Overtaken,
    #[error("the key {0} holds what another program wrote")]
    Foreign(String),
    #[error("the slot has moved to {0}")]
    Moved(Redirect),
}

/// Where a key is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{to}")]
pub(super) struct Redirect {
    pub(super) to: Address,
    /// For this once: the slot is on its way.
    pub(super) ask: bool,
}

impl Failure {
    /// What a node's answer means.
    pub(super) fn of_answer(node: &Address, answer: &ServerError) -> Self {
        let name: Arc<str> = node.to_string().into();
        let detail = || answer.details().unwrap_or_default().to_owned();
        match answer.code() {
            code @ ("MOVED" | "ASK") => match redirect(node, code, &detail()) {
                Some(redirect) => Self::Moved(redirect),
                None => Self::Refused { node: name, answer: format!("{code} {}", detail()) },
            },
            "OOM" => Self::Full(name),
            "WRONGPASS" | "NOAUTH" => Self::Denied(name),
            "NOPERM" => Self::Forbidden(name, detail()),
            code @ ("READONLY" | "MISCONF" | "NOREPLICAS") => {
                Self::ReadOnly(name, format!("{code} {}", detail()))
            }
            code => Self::Refused { node: name, answer: format!("{code} {}", detail()) },
        }
    }

    /// What an error of the connection means.
    pub(super) fn of_connection(node: &Address, error: &RedisError) -> Self {
        let name: Arc<str> = node.to_string().into();
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Denied(name),
            _ if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => Self::Denied(name),
            _ => Self::Away { node: name, why: error.to_string().into() },
        }
    }

    /// Whether trying again is of no use before somebody changes something.
    pub(super) const fn is_lasting(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Forbidden(..) | Self::TooOld { .. } | Self::Mode { .. })
    }

    pub(super) fn into_error(self, action: &'static str) -> StoreError {
        match self {
            Self::Foreign(key) => StoreError::Corrupt {
                backend: BACKEND,
                what: format!(
                    "the key {key} (it holds what another program wrote; delete it, or give the windows a \
                     database of their own)"
                ),
            },
            failure => StoreError::Unavailable { backend: BACKEND, action, source: Box::new(failure) },
        }
    }
}

/// Reads `<slot> <host>:<port>`; without a host it is the answering node's.
fn redirect(node: &Address, code: &str, detail: &str) -> Option<Redirect> {
    let (_, to) = detail.split_once(' ')?;
    let to = match to.strip_prefix(':') {
        Some(port) => Address { host: node.host.clone(), port: port.parse().ok()? },
        None => to.parse().ok()?,
    };
    Some(Redirect { to, ask: code == "ASK" })
}
