//! Connections: how many there may be at once, of all and of one peer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by whose they are, `K`. Holds at most as many entries as there are connections.
#[derive(Debug)]
pub struct Places<K>(Arc<Mutex<Taken<K>>>);

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    by_peer: HashMap<K, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    places: Places<K>,
    peer: K,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Taken { all: 0, by_peer: HashMap::new() })))
    }
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// A place for one more connection of this peer, if there are fewer than `max` of all and
    /// `per_peer_max` of it.
    #[must_use]
    pub fn take(&self, peer: K, max: usize, per_peer_max: usize) -> Option<Place<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= max || !taken.enter(peer.clone(), per_peer_max) {
            return None;
        }
        taken.all += 1;
        drop(taken);
        Some(Place { places: self.clone(), peer })
    }
}

impl<K: Eq + Hash + Clone> Place<K> {
    /// Counts the connection as another peer's from now on, if that has fewer than `per_peer_max`. Gives
    /// whether it does.
    #[must_use]
    pub fn pass_to(&mut self, peer: K, per_peer_max: usize) -> bool {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = taken.enter(peer.clone(), per_peer_max);
        if passed {
            taken.leave(&self.peer);
            drop(taken);
            self.peer = peer;
        }
        passed
    }
}

impl<K: Eq + Hash> Taken<K> {
    fn enter(&mut self, peer: K, max: usize) -> bool {
        let own = self.by_peer.get(&peer).copied().unwrap_or_default();
        let enters = own < max;
        if enters {
            self.by_peer.insert(peer, own + 1);
        }
        enters
    }

    fn leave(&mut self, peer: &K) {
        if let Some(own) = self.by_peer.get_mut(peer) {
            *own -= 1;
            if *own == 0 {
                self.by_peer.remove(peer);
            }
        }
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.leave(&self.peer);
        taken.all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_cannot_take_the_places_of_all() {
        let places = Places::default();
        let first = places.take("one", 3, 2);
        let _second = places.take("one", 3, 2);
        assert!(first.is_some() && places.take("one", 3, 2).is_none());
        let _other = places.take("two", 3, 2);
        assert!(places.take("three", 3, 2).is_none());
        drop(first);
        assert!(places.take("three", 3, 2).is_some());
    }

    #[test]
    fn a_place_that_is_passed_on_counts_for_the_other_peer_and_still_for_all() {
        let places = Places::default();
        let mut first = places.take("stranger", 2, 1).unwrap();
        assert!(first.pass_to("known", 1));
        let mut second = places.take("stranger", 2, 1).unwrap();
        assert!(places.take("another", 2, 1).is_none());
        // What cannot be passed on stays whose it is.
        assert!(!second.pass_to("known", 1));
        drop(first);
        assert!(places.take("stranger", 2, 1).is_none());
        assert!(second.pass_to("known", 1) && places.take("stranger", 2, 1).is_some());
    }
}
