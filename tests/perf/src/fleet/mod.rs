//! Simulated agents that speak the real protocol, and what is watched while they do: [`link`] is one
//! session; [`agent`] sends as fast as it is let, [`host`] at an ordinary day's pace, [`traffic`] and
//! [`lines`] are what they say; [`probe`] times single records; [`watch`] looks at the central, [`questions`]
//! asks it.

pub mod agent;
pub mod host;
pub mod lines;
pub mod link;
pub mod probe;
pub mod questions;
pub mod traffic;
pub mod watch;
