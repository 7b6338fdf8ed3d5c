//! Where a request comes from: the connection, and what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use super::config::HttpConfig;
use crate::loopback::{host_of_authority, is_loopback_host};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connected {
    /// Its other end.
    pub(super) peer: SocketAddr,
    /// It speaks TLS with us.
    pub(super) is_tls: bool,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Address of the browser or program, as far as it is known.
    pub(super) address: IpAddr,
    /// It runs on this machine, asked for this machine by a name that nobody else has, and no proxy
    /// stands between.
    pub(super) is_here: bool,
    /// What it sends and gets is encrypted all the way that we know of.
    pub(super) is_secure: bool,
}

impl Peer {
    pub(super) fn of(connected: Connected, headers: &HeaderMap, config: &HttpConfig) -> Self {
        let direct = connected.peer.ip().to_canonical();
        let is_proxied = headers.contains_key(FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        let is_trusted = is_trusted_proxy(direct, config);
        let forwarded =
            if is_trusted { last(headers, &FORWARDED_FOR).and_then(|text| text.parse().ok()) } else { None };
        let is_https = is_trusted && last(headers, &FORWARDED_PROTO) == Some("https");
        Self {
            address: forwarded.map_or(direct, |address: IpAddr| address.to_canonical()),
            is_here: direct.is_loopback() && !is_proxied && asks_for_this_machine(headers),
            is_secure: connected.is_tls || is_https,
        }
    }
}

/// Whether a proxy of this address is believed.
pub(super) fn is_trusted_proxy(address: IpAddr, config: &HttpConfig) -> bool {
    let address = address.to_canonical();
    config.trusted_proxies.iter().any(|trusted| trusted.to_canonical() == address)
}

/// The last entry of a list: what the proxy next to us wrote. Those before it anybody could have.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

/// What the request asks for; `None` without exactly one `Host` that can be read.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn asks_for_this_machine(headers: &HeaderMap) -> bool {
    host(headers).is_some_and(|host| is_loopback_host(host_of_authority(host)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn peer(from: &str, headers: &[(&'static str, &'static str)], trusted: &[&str]) -> Peer {
        let connected = Connected { peer: format!("{from}:9").parse().expect("an address"), is_tls: false };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let trusted_proxies = trusted.iter().map(|address| address.parse().expect("an address")).collect();
        Peer::of(connected, &map, &HttpConfig { trusted_proxies, ..HttpConfig::default() })
    }

    #[test]
    fn what_an_untrusted_proxy_says_is_not_believed() {
        let says =
            [("host", "localhost"), ("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        let untrusted = peer("127.0.0.1", &says, &[]);
        assert_eq!(untrusted.address.to_string(), "127.0.0.1");
        assert!(!untrusted.is_here && !untrusted.is_secure, "{untrusted:?}");
        let trusted = peer("127.0.0.1", &says, &["127.0.0.1"]);
        assert_eq!(trusted.address.to_string(), "203.0.113.7");
        assert!(!trusted.is_here && trusted.is_secure, "{trusted:?}");
    }

    #[test]
    fn of_several_forwarders_only_the_nearest_is_believed() {
        let says = [
            ("host", "x"),
            ("x-forwarded-for", "127.0.0.1, 198.51.100.4"),
            ("x-forwarded-for", "203.0.113.7"),
        ];
        assert_eq!(peer("10.0.0.1", &says, &["10.0.0.1"]).address.to_string(), "203.0.113.7");
    }

    #[test]
    fn somebody_is_here_only_by_a_loopback_address_and_name() {
        assert!(peer("127.0.0.1", &[("host", "localhost:7700")], &[]).is_here);
        assert!(!peer("127.0.0.1", &[("host", "evil.example:7700")], &[]).is_here);
        assert!(!peer("127.0.0.1", &[("host", "localhost"), ("host", "evil.example")], &[]).is_here);
        assert!(!peer("10.0.0.9", &[("host", "localhost:7700")], &[]).is_here);
    }
}
