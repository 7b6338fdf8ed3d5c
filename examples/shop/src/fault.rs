//! The switch that makes a service misbehave, over its own port: `GET` and `PUT /_fault`.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// What is wrong with a service at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Share of the requests that are answered with 500, from 0 to 1.
    pub errors: f64,
    /// Further milliseconds that each request takes.
    pub slow_ms: u64,
    /// Share of the requests that `slow_ms` falls on, from 0 to 1; 0 counts as all.
    pub slow_share: f64,
}

/// A service's switch. Cheap to clone.
#[derive(Clone, Default)]
pub struct Switch(Arc<RwLock<Fault>>);

impl Switch {
    /// The present fault.
    #[must_use]
    pub fn get(&self) -> Fault {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this the fault from now on; refuses shares that are none.
    pub fn set(&self, fault: Fault) -> Result<(), &'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        if !is_share(fault.errors) || !is_share(fault.slow_share) {
            return Err("`errors` and `slow_share` are shares from 0 to 1");
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fault;
        Ok(())
    }
}
