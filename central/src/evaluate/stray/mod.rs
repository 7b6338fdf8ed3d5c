//! How far a second strays from what is usual for its series.
//!
//! A [`reading`] of a second is compared with what the minutes before it make [`usual`]: their median
//! and their scale, learned by a [`baseline`] that leaves out the newest seconds and those that
//! strayed, so that an incident does not become its own yardstick. The result is a score: how many widths
//! of the usual the reading lies above it or below. [`watch`] does that for a rule, second by second as they
//! are complete; the push station does it for the page.
//!
//! Everything here is a function of the window cells, so a replay gives the same scores.

pub mod baseline;
pub mod reading;
#[cfg(test)]
mod simulation_tests;
pub mod usual;
pub(crate) mod watch;

pub use baseline::Baseline;
pub use reading::Reading;
pub use usual::{Score, Usual};
