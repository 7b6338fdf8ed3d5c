//! Addresses to listen on: `127.0.0.1:7700`, `localhost:7700`, `[::1]:7700`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::de::{Deserialize, Deserializer, Error};

use super::text::echo;

/// Reads an address to listen on, for `#[serde(deserialize_with)]`. `localhost` is 127.0.0.1; other names
/// are refused, since what they mean is decided elsewhere and may change while the program listens.
pub fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn parse(written: &str) -> Result<SocketAddr, String> {
    let written = written.trim();
    if let Ok(address) = written.parse() {
        return Ok(address);
    }
    let shown = echo(written);
    if let Ok(address) = written.trim_matches(['[', ']']).parse::<IpAddr>() {
        let example = SocketAddr::from((address, 7700));
        return Err(format!("`{shown}` has no port; write for example `{example}`"));
    }
    let (host, port) = written.rsplit_once(':').unwrap_or((written, ""));
    match (host, port.parse::<u16>()) {
        ("localhost", Ok(port)) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        ("localhost", Err(_)) => {
            Err(format!("`{shown}` needs a port from 0 to 65535; write for example `localhost:7700`"))
        }
        _ => Err(format!(
            "`{shown}` is no address to listen on; write an IP address and a port, such as \
             `127.0.0.1:7700`, or `0.0.0.0:7700` for all addresses of this machine"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_the_loopback_address() {
        assert_eq!(parse("localhost:7700"), Ok(SocketAddr::from(([127, 0, 0, 1], 7700))));
        assert_eq!(parse("[::1]:7700").map(|address| address.port()), Ok(7700));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_way_out() {
        let error = |written: &str| parse(written).expect_err("refused");
        assert_eq!(error("127.0.0.1"), "`127.0.0.1` has no port; write for example `127.0.0.1:7700`");
        assert_eq!(error("::1"), "`::1` has no port; write for example `[::1]:7700`");
        assert!(error("localhost:http").contains("write for example `localhost:7700`"));
        for name in ["web-1:7700", "nowhere", "127.0.0.1:99999", ""] {
            assert!(error(name).contains("such as `127.0.0.1:7700`"), "{name}");
        }
    }
}
