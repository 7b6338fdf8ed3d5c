//! Whether a server will do, by what it says of itself.

use std::sync::Arc;

use super::address::Address;
use super::failure::Failure;

/// The oldest version that knows `ZADD … GT` and everything else that is used.
const OLDEST: (u32, u32) = (6, 2);

/// Judges an answer to `INFO`.
pub(super) fn check(node: &Address, info: &str, cluster: bool) -> Result<(), Failure> {
    let name: Arc<str> = node.to_string().into();
    let said = |key: &str| said(info, key);
    let found = said("redis_version");
    if version(found).is_none_or(|version| version < OLDEST) {
        return Err(Failure::TooOld { node: name, found: format!("{found:.40?}") });
    }
    match (said("cluster_enabled") == "1", cluster) {
        (true, false) => return Err(Failure::Mode { node: name, found: "a node", wanted: true }),
        (false, true) => return Err(Failure::Mode { node: name, found: "no node", wanted: false }),
        _ => {}
    }
    if said("loading") == "1" {
        return Err(Failure::Refused { node: name, answer: "it is still loading its data".to_owned() });
    }
    if said("role") == "slave" {
        return Err(Failure::ReadOnly(name, "role:slave".to_owned()));
    }
    let policy = said("maxmemory_policy");
    if policy != "noeviction" {
        tracing::warn!(
            %node,
            policy,
            "Redis may evict windows, which are then missing after a failover; set `maxmemory-policy noeviction`"
        );
    }
    Ok(())
}

/// What an answer to `INFO` says under a name; empty where it says nothing.
pub(super) fn said<'a>(info: &'a str, key: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map_or("", str::trim)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(version: &str, mode: &str, role: &str, cluster: bool) -> Result<(), Failure> {
        let info = format!(
            "# Server\r\nredis_version:{version}\r\nredis_mode:x\r\n# Replication\r\nrole:{role}\r\nloading:0\r\n\
             maxmemory_policy:noeviction\r\ncluster_enabled:{mode}\r\n"
        );
        check(&Address { host: "redis".to_owned(), port: 6379 }, &info, cluster)
    }

    #[test]
    fn servers_that_will_not_do_are_named_with_the_way_out() {
        for good in ["6.2.0", "7.0.15", "8.0.1-rc1", "255.255.255"] {
            judge(good, "0", "master", false).expect(good);
        }
        for old in ["6.0.16", "2.8", "", "soup"] {
            let told = judge(old, "0", "master", false).expect_err(old).to_string();
            assert!(told.contains("upgrade"), "{told}");
        }
        let told = judge("7.0.0", "1", "master", false).expect_err("a cluster").to_string();
        assert!(told.contains("`cluster: true`"), "{told}");
        let told = judge("7.0.0", "0", "master", true).expect_err("no cluster").to_string();
        assert!(told.contains("`cluster: false`"), "{told}");
        assert!(judge("7.0.0", "0", "slave", false).is_err());
    }
}
