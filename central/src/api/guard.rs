//! Who may ask. Until there are accounts the central listens on loopback, and these keep a web page
//! on the same machine from asking in its reader's name.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use goldentime_model::problem::ProblemCode;

use super::problem::Refusal;

/// What a page of ours may load: its own files and the WebSocket of its own host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// Headers that every answer carries.
const HEADERS: [(header::HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Refuses a name that is not this machine's: without that check, a page whose name is rebound to
/// 127.0.0.1 could read everything (DNS rebinding).
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = if is_loopback(host(request.headers())) {
        next.run(request).await
    } else {
        let detail = "ask for this machine by a loopback name or address: `localhost` or `127.0.0.1`";
        Refusal::new(ProblemCode::InvalidRequest, detail).into_response()
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a browser's page of another origin asks. Programs send no `Origin`.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
    authority.is_none() || authority != host(headers)
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_loopback(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for good in ["localhost", "LOCALHOST:7700", "127.0.0.1:7700", "127.9.9.9", "[::1]:7700"] {
            assert!(is_loopback(Some(good)), "{good}");
        }
        for bad in ["evil.example:7700", "127.0.0.1.evil.example", "10.0.0.1", "", "[::2]:7700"] {
            assert!(!is_loopback(Some(bad)), "{bad}");
        }
        assert!(!is_loopback(None));
    }

    #[test]
    fn a_page_of_another_origin_is_foreign_and_a_program_is_not() {
        let headers = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:7700"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            headers
        };
        assert!(!is_foreign(&headers(None)));
        assert!(!is_foreign(&headers(Some("http://localhost:7700"))));
        assert!(is_foreign(&headers(Some("http://localhost:7701"))));
        assert!(is_foreign(&headers(Some("null"))));
    }
}
