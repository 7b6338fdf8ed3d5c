//! Push: what each service does, once a second, to everyone who watches. The protocol is
//! `docs/websocket.md`.
//!
//! [`sources`] is what is shown and where it comes from. Each second [`station`] has [`rows`] read the
//! window cells into [`history`] rings (with [`saturation`] of the hosts and what [`strays`] from the usual) and
//! [`status`] into states, turns what changed into one [`frame`], and appends it to the [`frames`] ring,
//! encoded once for all. A [`client`] reads that ring at its own pace.

pub mod client;
pub mod frame;
pub mod frames;
pub mod history;
pub mod rows;
pub mod saturation;
pub mod sources;
pub mod station;
pub mod status;
pub mod strays;

pub use frames::Frames;
pub use sources::Sources;
pub use station::{Handle, start};

/// Memory of what is shown of so many services, in bytes: their last minutes, and what is usual for them.
#[must_use]
pub const fn memory_bound_bytes(services_max: u64) -> u64 {
    services_max.saturating_mul(history::RING_BYTES + strays::BYTES)
}
