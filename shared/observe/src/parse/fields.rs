//! What a line says.

use std::borrow::Cow;

use goldentime_model::UnixNanos;

use super::instant::Zone;
use super::role::Role;
use super::{instant, number};

/// Fields without a role that one line keeps.
pub const OTHERS_MAX: usize = 48;

/// Bytes of a field: the line's own, or a copy where an escape had to be resolved.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// What a line says. What it does not say is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields<'a> {
    /// HTTP verb or RPC method.
    pub method: Bytes<'a>,
    /// Target as requested, with its query string.
    pub path: Bytes<'a>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Seconds.
    pub duration_s: Option<f64>,
    /// When it happened.
    pub at: Option<UnixNanos>,
    /// `at` is of whole seconds.
    pub at_is_coarse: bool,
    /// Service that the line names.
    pub service: Bytes<'a>,
    /// Endpoint that the line names.
    pub endpoint: Bytes<'a>,
    /// Log level as written.
    pub level: Bytes<'a>,
    /// Message; empty where the whole line is the message.
    pub message: Bytes<'a>,
    /// Trace id.
    pub trace_id: Bytes<'a>,
    /// Span id.
    pub span_id: Bytes<'a>,
    /// What an outcome rule looks at.
    pub verdict: Bytes<'a>,
    /// Fields without a role, by name, where the parser keeps them.
    pub others: Vec<(Cow<'a, str>, Bytes<'a>)>,
    /// Fields without a role beyond [`OTHERS_MAX`].
    pub others_left_out: u64,
    /// The line has a time, and none that could be read: it counts at the instant at which it is read.
    pub time_is_unread: bool,
    /// The line has a duration that could not be read: it counts as a request without one.
    pub duration_is_unread: bool,
}

/// Why a line, or its duration or time, could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Unparsed {
    /// The line is not of the format.
    #[error("the line does not have the configured format")]
    Format,
    /// The status is no number.
    #[error("the status is no number from 100 to 999")]
    Status,
    /// The duration is no number.
    #[error("the duration is no number")]
    Duration,
    /// The instant is of no form that is known.
    #[error("the time is of no known form")]
    Time,
}

impl Unparsed {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Format, Self::Status, Self::Duration, Self::Time];

    /// Name in metrics and `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Format => "unparsed_format",
            Self::Status => "unparsed_status",
            Self::Duration => "unparsed_duration",
            Self::Time => "unparsed_time",
        }
    }
}

impl<'a> Fields<'a> {
    /// Notes what a field says. `-` and nothing say nothing.
    #[inline]
    pub(super) fn set(&mut self, role: Role, value: Bytes<'a>, zone: &mut Zone) -> Result<(), Unparsed> {
        if value.is_empty() || *value == *b"-" {
            return Ok(());
        }
        match role {
            Role::Request => self.set_request(value),
            Role::Method => self.method = value,
            Role::Path => self.path = value,
            Role::Status => self.status = Some(number::status(&value).ok_or(Unparsed::Status)?),
            Role::Duration(unit) => match number::duration(&value, unit) {
                Ok(duration_s) => self.duration_s = duration_s,
                Err(_) => self.duration_is_unread = true,
            },
            Role::Time => self.set_time(&value, zone),
            Role::Service => self.service = value,
            Role::Endpoint => self.endpoint = value,
            Role::Level => self.level = value,
            Role::Message => self.message = value,
            Role::TraceId => self.trace_id = value,
            Role::SpanId => self.span_id = value,
            Role::Verdict => self.verdict = value,
        }
        Ok(())
    }

    /// Keeps a field that has no role.
    pub(super) fn keep(&mut self, name: Cow<'a, str>, value: Bytes<'a>) {
        if self.others.len() < OTHERS_MAX {
            self.others.push((name, value));
        } else {
            self.others_left_out += 1;
        }
    }

    /// A finer stamp is kept before a coarse one, whichever comes first.
    #[inline]
    fn set_time(&mut self, value: &[u8], zone: &mut Zone) {
        if let Some((at, is_coarse)) = instant::parse(value, zone)
            && (self.at.is_none() || (self.at_is_coarse && !is_coarse))
        {
            (self.at, self.at_is_coarse) = (Some(at), is_coarse);
        }
        self.time_is_unread = self.at.is_none();
    }

    /// `GET /path HTTP/1.1`. What is no request line (a TLS hello on a plain port) leaves the path
    /// empty. Fields of their own go before it.
    #[inline]
    fn set_request(&mut self, request: Bytes<'a>) {
        let Some((method, target)) = split_request(&request) else { return };
        if self.method.is_empty() {
            self.method = slice(&request, method);
        }
        if self.path.is_empty() {
            self.path = slice(&request, target);
        }
    }
}

fn slice<'a>(bytes: &Bytes<'a>, range: std::ops::Range<usize>) -> Bytes<'a> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
    }
}

type Range = std::ops::Range<usize>;

#[inline]
fn split_request(request: &[u8]) -> Option<(Range, Range)> {
    const METHOD_BYTES_MAX: usize = 32;
    let head = &request[..request.len().min(METHOD_BYTES_MAX)];
    let method = head.iter().position(|&byte| byte == b' ')?;
    let is_token = head[..method].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
    if method == 0 || !is_token {
        return None;
    }
    let target = method + 1;
    let end = memchr::memrchr(b' ', &request[target..]).map_or(request.len(), |at| target + at);
    let is_protocol = request[end..].starts_with(b" HTTP/");
    Some((0..method, target..if is_protocol { end } else { request.len() }))
}
