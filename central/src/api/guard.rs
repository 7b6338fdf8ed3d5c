//! What holds for every request, whoever asks: which names are answered, that no page of another origin
//! changes anything, how long a request may take, and the headers of every answer.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use goldentime_model::problem::ProblemCode;

use super::config::HttpConfig;
use super::peer::{Connected, Peer, host};
use super::problem::Refusal;
use super::state::Front;
use crate::loopback::{host_of_authority, is_loopback_host};

/// What a page of ours may load: its own files and the WebSocket of its own host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// Headers that every answer carries.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Browsers that reached a name by TLS come back by TLS alone, for a year.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

/// A request that takes longer, its body included, is given up. Live connections have become WebSockets
/// long before.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) async fn guard(State(front): State<Front>, mut request: Request, next: Next) -> Response {
    let Some(connected) = request.extensions().get::<Connected>().copied() else {
        let detail = "the request came over no known connection";
        return Refusal::new(ProblemCode::Internal, detail).into_response();
    };
    let peer = Peer::of(connected, request.headers(), &front.http);
    request.extensions_mut().insert(peer);
    let by_name = is_strict_host(request.headers());
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = match refusal(connected, &request, &front.http) {
        Some(refusal) => refusal.into_response(),
        None => match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let detail = format!("no answer within {} s; ask for less", ANSWER_WITHIN.as_secs());
                Refusal::new(ProblemCode::Unavailable, detail).into_response()
            }
        },
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    if peer.is_secure && by_name {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    response
}

fn refusal(connected: Connected, request: &Request, config: &HttpConfig) -> Option<Refusal> {
    let headers = request.headers();
    if !connected.is_tls && !is_ours(headers, config) {
        metrics::counter!("goldentime_http_refused_total", "reason" => "host").increment(1);
        let detail = "this central is not known by the name in `Host`; ask by `localhost`, or add the name to \
                      `http.names`";
        return Some(Refusal::new(ProblemCode::InvalidRequest, detail));
    }
    if !request.method().is_safe() && is_foreign(headers) {
        metrics::counter!("goldentime_http_refused_total", "reason" => "origin").increment(1);
        let detail =
            "a page of another origin may not change anything here; behind a proxy, let it pass `Host` on";
        return Some(Refusal::new(ProblemCode::OriginNotAllowed, detail));
    }
    None
}

/// Whether the name that is asked for is one of ours. Without that check, a page whose name is rebound to
/// our address could read what it likes (DNS rebinding). TLS needs none: no such page has our certificate.
/// An address is no name, so nothing can be rebound to it.
fn is_ours(headers: &HeaderMap, config: &HttpConfig) -> bool {
    let Some(host) = host(headers).map(host_of_authority) else { return false };
    is_loopback_host(host)
        || config.names.iter().any(|name| name.eq_ignore_ascii_case(host))
        || (!config.is_local() && host.parse::<IpAddr>().is_ok())
}

/// Strict transport security is for names: on `localhost` it would break every other server there.
fn is_strict_host(headers: &HeaderMap) -> bool {
    host(headers)
        .map(host_of_authority)
        .is_some_and(|host| !is_loopback_host(host) && host.parse::<IpAddr>().is_err())
}

/// Whether a browser's page of another origin asks. Programs send neither header.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    if headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
    authority.is_none() || authority != host(headers)
}

/// Whether a browser says that a page of ours asks.
pub(super) fn is_known_own(headers: &HeaderMap) -> bool {
    (headers.contains_key(header::ORIGIN) || headers.contains_key(FETCH_SITE)) && !is_foreign(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost:7700"));
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_page_of_another_origin_is_foreign_and_a_program_is_not() {
        assert!(!is_foreign(&headers(&[])));
        assert!(!is_foreign(&headers(&[("origin", "http://localhost:7700")])));
        assert!(is_foreign(&headers(&[("origin", "http://localhost:7701")])));
        assert!(is_foreign(&headers(&[("origin", "null")])));
        assert!(is_foreign(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_foreign(&headers(&[("sec-fetch-site", "same-site")])), "another port is another origin");
    }

    #[test]
    fn only_what_a_browser_says_of_our_own_page_is_known_as_such() {
        assert!(!is_known_own(&headers(&[])), "a program");
        assert!(is_known_own(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_known_own(&headers(&[("origin", "http://localhost:7700")])));
        let mixed = [("sec-fetch-site", "cross-site"), ("origin", "http://localhost:7700")];
        assert!(!is_known_own(&headers(&mixed)));
    }

    #[test]
    fn without_tls_only_our_names_are_answered() {
        let local = HttpConfig { names: vec!["Goldentime.Example".into()], ..HttpConfig::default() };
        let asks = |host: &'static str| headers(&[("host", host)]);
        assert!(is_ours(&asks("127.0.0.1:7700"), &local) && is_ours(&asks("goldentime.example"), &local));
        assert!(!is_ours(&asks("evil.example:7700"), &local) && !is_ours(&asks("10.0.0.1:7700"), &local));
        let beyond = HttpConfig { listen: "0.0.0.0:7700".parse().expect("an address"), ..local };
        assert!(is_ours(&asks("10.0.0.1:7700"), &beyond), "a load balancer's probe");
    }
}
