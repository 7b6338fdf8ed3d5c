//! Errors of the HTTP API: problem details after RFC 9457, with a stable code.

use serde::{Deserialize, Serialize};

/// Content type of a [`Problem`] (RFC 9457, section 3).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong with a request, for programs (`code`) and for people (`title`, `detail`).
///
/// On the wire: `{"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found",
/// "detail": "no service `shop/prod/ordr`", "instance": "/api/v1/services/shop/prod/ordr"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// Kind as an URI; `about:blank`, since the code tells more (RFC 9457, section 4.2.1).
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The same words for every problem of this code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable name for programs; never changes its meaning.
    pub code: ProblemCode,
    /// What was wrong this time, and the way out.
    pub detail: String,
    /// Path of the request, where it helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// Stable codes. New ones may come; a client treats one that it does not know by the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A parameter, header or body is not as documented.
    InvalidRequest,
    /// Nobody is signed in, or the session or API token has ended.
    SignInRequired,
    /// No account has this name and this password.
    WrongCredentials,
    /// Who asks is known and may not do this.
    RoleTooLow,
    /// A browser's page of another origin asks.
    OriginNotAllowed,
    /// Nothing of that name.
    NotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The body is larger than allowed.
    TooLarge,
    /// Too many requests or connections at once; try again later.
    TooMany,
    /// It contradicts what is there.
    Conflict,
    /// As many clients as allowed watch already.
    TooManyClients,
    /// The central is starting, stopping, or lacks something that it needs.
    Unavailable,
    /// A fault of ours; the log of the central has the cause.
    Internal,
}

impl ProblemCode {
    /// HTTP status that goes with the code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::SignInRequired | Self::WrongCredentials => 401,
            Self::OriginNotAllowed | Self::RoleTooLow => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::TooManyClients | Self::Unavailable => 503,
        }
    }

    /// The same words for every problem of this code.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Invalid request",
            Self::SignInRequired => "Sign in first",
            Self::WrongCredentials => "Wrong name or password",
            Self::RoleTooLow => "Not allowed",
            Self::OriginNotAllowed => "Origin not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Conflict",
            Self::TooLarge => "Too large",
            Self::TooMany => "Too many requests",
            Self::Internal => "Internal error",
            Self::TooManyClients => "Too many clients",
            Self::Unavailable => "Not available",
        }
    }
}

impl Problem {
    /// A problem of this code. `detail` says what was wrong and names the way out.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: about_blank(),
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
            instance: None,
        }
    }

    /// Names the path that was asked for.
    #[must_use]
    pub fn at(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }
}

fn about_blank() -> String {
    "about:blank".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_a_code() {
        let problem = Problem::new(ProblemCode::NotFound, "no service `a`").at("/api/v1/services/a");
        let json = serde_json::to_value(&problem).expect("serializable");
        assert_eq!(
            json,
            serde_json::json!({
                "type": "about:blank", "title": "Not found", "status": 404, "code": "not_found",
                "detail": "no service `a`", "instance": "/api/v1/services/a",
            })
        );
        assert_eq!(serde_json::from_value::<Problem>(json).expect("readable"), problem);
    }
}
