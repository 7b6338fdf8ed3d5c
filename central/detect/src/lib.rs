//! Sequential tests of what a service does, without clock or I/O.
//!
//! [`low_traffic`] gathers evidence that a share of bad requests is above what a rule allows, request by
//! request, so that few requests page nobody by chance. [`shift`] finds the second in which a share left the
//! service's own recent [`level`], against which [`excursions`] of ordinary times are held. [`quantile`]
//! follows the latency that is usually exceeded by a given share, which makes slowness such a share. [`flap`]
//! is what keeps an answer that goes back and forth from being told each time.
//!
//! All states have a constant size and are written to and read from versioned [`bytes`].

pub mod bytes;
mod counts;
pub mod excursions;
pub mod flap;
pub mod level;
pub mod low_traffic;
pub mod quantile;
pub mod shift;

pub use counts::Counts;
pub use flap::Flap;
pub use low_traffic::{Evidence, LowTraffic};
pub use shift::{Moved, Shift, ShiftSettings, Stand};
