//! What [`goldentime_detect`] does over simulated months: false pages, and how soon it sees what is real.
//!
//! Two worlds stand apart. The detector was chosen on the [`World::Tuning`] one; the [`World::HeldOut`] one has
//! other shapes of rhythm, bursts and tails and other seeds, and was run when the detector was final.

pub mod low_traffic;
mod others;
mod random;
pub mod shift;
mod traffic;

/// Whose shapes and seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The one that the detector was chosen on.
    Tuning,
    /// The one that was set aside.
    HeldOut,
}

impl World {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tuning, Self::HeldOut];

    /// Name for tables and figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held_out",
        }
    }

    /// The seed of one run; no two worlds share one.
    const fn seed(self, run: u64) -> u64 {
        match self {
            Self::Tuning => 1_000_000 + run,
            Self::HeldOut => 311_000_000 + run,
        }
    }
}
