//! The cookie that keeps a browser signed in.
//!
//! Under TLS it is a `__Host-` cookie: the browser takes it from this host alone, and sends it encrypted
//! alone. It is sent for requests of our own pages alone (`SameSite=Strict`), and no script can read it.
//! Browsers do not tell ports apart, so the port is part of its name: two centrals on one machine keep
//! theirs.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// Longest `Cookie` header that is looked through.
const HEADER_BYTES_MAX: usize = 8 * 1024;

fn name(port: u16, is_secure: bool) -> String {
    let prefix = if is_secure { "__Host-" } else { "" };
    format!("{prefix}goldentime-{port}")
}

/// Value of the cookie that a request brings.
pub(super) fn read(headers: &HeaderMap, port: u16, is_secure: bool) -> Option<&str> {
    let wanted = name(port, is_secure);
    let lines = headers.get_all(header::COOKIE).iter().filter(|line| line.len() <= HEADER_BYTES_MAX);
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Gives the browser a cookie that lasts so long.
pub(super) fn set(port: u16, is_secure: bool, value: &str, lifetime: Duration) -> Option<HeaderValue> {
    let (name, secure) = (name(port, is_secure), if is_secure { "; Secure" } else { "" });
    let seconds = lifetime.as_secs();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie from the browser.
pub(super) fn clear(port: u16, is_secure: bool) -> Option<HeaderValue> {
    set(port, is_secure, "", Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        let line = "xgoldentime-7700=a; goldentime-7701=b; goldentime-7700=c; __Host-goldentime-7700=d";
        headers.insert(header::COOKIE, HeaderValue::from_static(line));
        assert_eq!(read(&headers, 7700, false), Some("c"));
        assert_eq!(read(&headers, 7700, true), Some("d"));
        assert_eq!(read(&headers, 7702, true), None);
    }

    #[test]
    fn under_tls_it_is_bound_to_the_host() {
        let cookie = set(7700, true, "v", Duration::from_secs(60)).expect("valid");
        assert_eq!(
            cookie.to_str().expect("text"),
            "__Host-goldentime-7700=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
        );
    }
}
