//! Simulated agents that speak the real protocol: [`agent`] is one connection, [`traffic`] what it
//! says.

pub mod agent;
pub mod traffic;
