//! What the fields of a line mean.

use std::collections::HashMap;

/// What a field says. Fields without a role are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Request line: method, target and protocol.
    Request,
    /// HTTP verb or RPC method.
    Method,
    /// Target of the request; a query string is cut off later.
    Path,
    /// HTTP status.
    Status,
    /// Duration; the unit as configured, else the one its name implies.
    Duration(Unit),
    /// When it happened.
    Time,
    /// Names the service.
    Service,
    /// Names the endpoint, instead of the path.
    Endpoint,
    /// Log level.
    Level,
    /// Log message.
    Message,
    /// W3C trace id.
    TraceId,
    /// W3C span id.
    SpanId,
    /// A field that an outcome rule looks at, such as an error code in the body.
    Verdict,
}

/// Unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Unit {
    /// Seconds in one of it.
    #[must_use]
    pub const fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Millis => 1e-3,
            Self::Micros => 1e-6,
            Self::Nanos => 1e-9,
        }
    }
}

/// Roles by field name.
#[derive(Clone, Debug)]
pub struct Roles(HashMap<Box<str>, Role>);

/// Names that common servers and logging libraries use. OpenTelemetry's, nginx's, Elastic's, and
/// those of pino, zap, logback, structlog and bunyan.
const USUAL: &[(&str, Role)] = &[
    ("request", Role::Request),
    ("method", Role::Method),
    ("request_method", Role::Method),
    ("http_method", Role::Method),
    ("http.request.method", Role::Method),
    ("http.method", Role::Method),
    ("path", Role::Path),
    ("uri", Role::Path),
    ("url", Role::Path),
    ("request_uri", Role::Path),
    ("url.path", Role::Path),
    ("http.target", Role::Path),
    ("http.route", Role::Endpoint),
    ("route", Role::Endpoint),
    ("endpoint", Role::Endpoint),
    ("status", Role::Status),
    ("status_code", Role::Status),
    ("http_status", Role::Status),
    ("http.response.status_code", Role::Status),
    ("http.status_code", Role::Status),
    ("request_time", Role::Duration(Unit::Seconds)),
    ("duration", Role::Duration(Unit::Seconds)),
    ("duration_s", Role::Duration(Unit::Seconds)),
    ("duration_ms", Role::Duration(Unit::Millis)),
    ("elapsed_ms", Role::Duration(Unit::Millis)),
    ("latency_ms", Role::Duration(Unit::Millis)),
    ("response_time_ms", Role::Duration(Unit::Millis)),
    ("duration_us", Role::Duration(Unit::Micros)),
    ("duration_ns", Role::Duration(Unit::Nanos)),
    ("msec", Role::Time),
    ("time_iso8601", Role::Time),
    ("time_local", Role::Time),
    ("time", Role::Time),
    ("ts", Role::Time),
    ("timestamp", Role::Time),
    ("@timestamp", Role::Time),
    ("service", Role::Service),
    ("service.name", Role::Service),
    ("level", Role::Level),
    ("severity", Role::Level),
    ("log.level", Role::Level),
    ("msg", Role::Message),
    ("message", Role::Message),
    ("trace_id", Role::TraceId),
    ("traceId", Role::TraceId),
    ("trace.id", Role::TraceId),
    ("span_id", Role::SpanId),
    ("spanId", Role::SpanId),
    ("span.id", Role::SpanId),
];

impl Roles {
    /// The usual names, with `own` in their place: a role that `own` gives to a field is taken from
    /// all the usual ones.
    #[must_use]
    pub fn with(own: impl IntoIterator<Item = (String, Role)>) -> Self {
        let mut roles: HashMap<Box<str>, Role> =
            USUAL.iter().map(|&(name, role)| (name.into(), role)).collect();
        for (name, role) in own {
            roles.retain(|_, usual| std::mem::discriminant(usual) != std::mem::discriminant(&role));
            roles.insert(name.into(), role);
        }
        Self(roles)
    }

    /// What the field of this name says.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Role> {
        self.0.get(name).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Role)> {
        self.0.iter().map(|(name, &role)| (&**name, role))
    }
}
