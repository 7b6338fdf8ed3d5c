//! What is this machine alone: one judgement for addresses, names, and the `Host` of a request.

use std::net::IpAddr;

/// Whether a host, given as a name or an address, is this machine alone. Nobody else can be reached
/// by it, and by it nobody else reaches us.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port`.
#[must_use]
pub fn host_of_authority(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for good in
            ["localhost", "LOCALHOST:7700", "127.0.0.1:7700", "127.9.9.9", "[::1]:7700", "[::ffff:127.0.0.1]"]
        {
            assert!(is_loopback_host(host_of_authority(good)), "{good}");
        }
        for bad in ["evil.example:7700", "127.0.0.1.evil.example", "10.0.0.1", "", "[::2]:7700"] {
            assert!(!is_loopback_host(host_of_authority(bad)), "{bad}");
        }
    }
}
