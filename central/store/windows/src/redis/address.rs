//! Where a node listens.

use std::fmt;
use std::str::FromStr;

/// Host and port of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a text is no address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not of the form host:port")]
pub(super) struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let plain = !host.is_empty() && !host.contains(['/', '@', ' ', '[', ']']);
            plain.then_some(())?;
            Some(Self { host: host.to_owned(), port: port.parse().ok().filter(|port| *port != 0)? })
        });
        parts.ok_or_else(|| AddressError(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written_and_nothing_else_is() {
        for good in ["redis.internal:6379", "127.0.0.1:1", "[::1]:6379"] {
            assert_eq!(good.parse::<Address>().expect("an address").to_string(), good);
        }
        for bad in ["", "redis", "redis:", ":1", "redis:0", "redis:70000", "redis://h:1", "user@h:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
