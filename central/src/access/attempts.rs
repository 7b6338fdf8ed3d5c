//! How often one may guess a password: by account and address together, by account, and by address.
//!
//! The first limit is tight and stops a guesser without locking the account's owner out, who comes from
//! elsewhere; the other two bound what many addresses or many names can try. Passwords of twelve
//! characters withstand what is left. Each attempt is counted before its password is looked at, so that
//! attempts made at once do not slip through; one that succeeds is taken back.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use goldentime_model::UnixNanos;

/// Failures within a time.
#[derive(Clone, Copy, Debug)]
struct Limit {
    attempts: u32,
    within: Duration,
}

const BY_BOTH: Limit = Limit { attempts: 5, within: Duration::from_secs(5 * 60) };
const BY_ACCOUNT: Limit = Limit { attempts: 100, within: Duration::from_secs(60 * 60) };
const BY_ADDRESS: Limit = Limit { attempts: 50, within: Duration::from_secs(10 * 60) };

/// Entries of each of the three tables; the one that began first makes room.
const ENTRIES_MAX: usize = 4096;
/// Memory of the tables: an entry holds a name of at most 256 bytes.
pub const MEMORY_BYTES_MAX: u64 = 3 * ENTRIES_MAX as u64 * 400;

/// Attempts of late. Bounded.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    by_both: Table<(String, IpAddr)>,
    by_account: Table<String>,
    by_address: Table<IpAddr>,
}

#[derive(Debug)]
struct Table<K>(HashMap<K, Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: UnixNanos,
    attempts: u32,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// How long until one more is allowed; `None`: now.
    fn wait(&self, key: &K, limit: Limit, now: UnixNanos) -> Option<Duration> {
        let window = self.0.get(key).filter(|window| window.attempts >= limit.attempts)?;
        let left = window.left(limit, now);
        (!left.is_zero()).then_some(left)
    }

    fn count(&mut self, key: K, limit: Limit, now: UnixNanos) {
        if self.0.len() >= ENTRIES_MAX && !self.0.contains_key(&key) {
            self.0.retain(|_, window| !window.left(limit, now).is_zero());
            if self.0.len() >= ENTRIES_MAX
                && let Some(first) = self.0.iter().min_by_key(|(_, w)| w.began.0).map(|(key, _)| key.clone())
            {
                self.0.remove(&first);
            }
        }
        let window = self.0.entry(key).or_insert(Window { began: now, attempts: 0 });
        if window.left(limit, now).is_zero() {
            *window = Window { began: now, attempts: 0 };
        }
        window.attempts = window.attempts.saturating_add(1);
    }

    fn take_back(&mut self, key: &K) {
        if let Some(window) = self.0.get_mut(key) {
            window.attempts = window.attempts.saturating_sub(1);
        }
    }
}

impl Window {
    /// A clock that was set back does not prolong it.
    fn left(&self, limit: Limit, now: UnixNanos) -> Duration {
        match u64::try_from(now.since(self.began)) {
            Ok(since) => limit.within.saturating_sub(Duration::from_nanos(since)),
            Err(_) => Duration::ZERO,
        }
    }
}

impl Attempts {
    /// Counts an attempt that is about to be made, or says how long to wait.
    pub fn begin(&self, name: &str, address: IpAddr, now: UnixNanos) -> Result<(), Duration> {
        let (name, address) = (name.to_lowercase(), network(address));
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let both = (name.clone(), address);
        let waits = [
            tables.by_both.wait(&both, BY_BOTH, now),
            tables.by_account.wait(&name, BY_ACCOUNT, now),
            tables.by_address.wait(&address, BY_ADDRESS, now),
        ];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        tables.by_both.count(both, BY_BOTH, now);
        tables.by_account.count(name, BY_ACCOUNT, now);
        tables.by_address.count(address, BY_ADDRESS, now);
        Ok(())
    }

    /// The attempt succeeded: it was its owner, who mistyped before.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let (name, address) = (name.to_lowercase(), network(address));
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.by_account.take_back(&name);
        tables.by_address.take_back(&address);
        tables.by_both.0.remove(&(name, address));
    }
}

/// What one guesser has: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn after(seconds: i64) -> UnixNanos {
        NOW.saturating_add(seconds * 1_000_000_000)
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n))
    }

    #[test]
    fn the_sixth_guess_waits_and_the_owner_elsewhere_does_not() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            assert_eq!(attempts.begin("Kim", HOME, NOW), Ok(()));
        }
        assert_eq!(attempts.begin("kim", HOME, after(60)), Err(Duration::from_secs(240)));
        assert_eq!(attempts.begin("kim", address(2), after(60)), Ok(()));
        assert_eq!(attempts.begin("kim", HOME, after(300)), Ok(()));
    }

    #[test]
    fn one_that_succeeds_forgets_what_its_owner_mistyped() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            for _ in 0..4 {
                assert_eq!(attempts.begin("kim", HOME, NOW), Ok(()));
            }
            attempts.succeeded("kim", HOME);
        }
    }

    #[test]
    fn many_addresses_share_the_limit_of_one_account_and_many_names_that_of_one_address() {
        let attempts = Attempts::default();
        let passed = (0..500).filter(|n| attempts.begin("kim", address(*n), NOW).is_ok()).count();
        assert_eq!(passed, 100);
        let passed = (0..500).filter(|n| attempts.begin(&format!("u{n}"), address(9_999), NOW).is_ok());
        assert_eq!(passed.count(), 50);
        let v6 = |n: u32| format!("2001:db8::{n:x}").parse().expect("an address");
        let passed = (0..500).filter(|n| attempts.begin(&format!("v{n}"), v6(*n), NOW).is_ok()).count();
        assert_eq!(passed, 50, "one network of 64 bits is one guesser");
    }

    #[test]
    fn tables_stay_small_whoever_comes() {
        let attempts = Attempts::default();
        for n in 0..20_000 {
            let _ = attempts.begin(&format!("u{n}"), address(n), after(i64::from(n) / 100));
        }
        let tables = attempts.0.lock().expect("whole");
        assert!(tables.by_both.0.len() <= ENTRIES_MAX && tables.by_account.0.len() <= ENTRIES_MAX);
        assert!(tables.by_address.0.len() <= ENTRIES_MAX);
    }
}
