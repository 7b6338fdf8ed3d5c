//! The agents' uplink.
//!
//! [`listener`] takes connections and bounds how many there are. A connection begins with one control
//! frame: [`enrol`] answers those without a certificate, [`session`] all others; [`records`] reads
//! their streams. [`shared`] is what all connections work with.

pub mod enrol;
pub mod listener;
pub mod records;
pub mod session;
pub mod shared;
