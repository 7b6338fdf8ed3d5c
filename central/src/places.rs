//! Connections by address: how many there may be at once, of all and of one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by address. Holds as many entries as there are connections.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Place(Places, IpAddr);

impl Places {
    /// A place for one more connection of this address, if there are fewer than `max` of all and
    /// `per_address_max` of it.
    #[must_use]
    pub fn take(&self, address: IpAddr, max: usize, per_address_max: usize) -> Option<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = places.values().sum();
        let own = places.get(&address).copied().unwrap_or_default();
        if all >= max || own >= per_address_max {
            return None;
        }
        places.insert(address, own + 1);
        Some(Place(self.clone(), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = places.get_mut(&self.1) {
            *own -= 1;
            if *own == 0 {
                places.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_the_places_of_all() {
        let places = Places::default();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let first = places.take(address(1), 3, 2);
        let _second = places.take(address(1), 3, 2);
        assert!(first.is_some() && places.take(address(1), 3, 2).is_none());
        let _other = places.take(address(2), 3, 2);
        assert!(places.take(address(3), 3, 2).is_none());
        drop(first);
        assert!(places.take(address(3), 3, 2).is_some());
    }
}
