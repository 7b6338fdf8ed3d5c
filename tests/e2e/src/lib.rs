//! End-to-end tests: the real programs over a real nginx, compared with nginx's own log.
//!
//! [`world`] is a small company on loopback (hosts with nginx and an agent each, one central),
//! [`counts`] compares what the central counted with what nginx wrote and [`history`] what it stored, [`fault`] draws the instants
//! at which something is killed. [`lines`] writes logs that
//! nginx would not, [`rules`] are SLO files, [`pages`] what a webhook was told, [`ask`] questions to
//! the programs, [`cluster`] is two centrals over real engines and [`cluster_fault`] what befalls it, [`previous`] is what an earlier version left on disk, [`restored`] an agent put back to an older state, [`packages`] what is installed in a fresh Debian, and [`clients`] real StatsD clients.

pub mod ask;
pub mod clients;
pub mod cluster;
pub mod cluster_fault;
pub mod counts;
pub mod fault;
pub mod history;
pub mod lines;
pub mod packages;
pub mod pages;
pub mod previous;
pub mod restored;
pub mod rules;
pub mod world;

/// Whether the long form of the tests was asked for (`make test-full`).
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("GOLDENTIME_TEST_FULL").is_some_and(|value| value == "1")
}
