//! From a raw path to a series: explicit patterns and normalisation ([`normalise`]), rules on what
//! counts as what ([`rules`]), and the bounded memory of both that makes the common path one look-up
//! ([`cache`], [`router`]).

pub mod cache;
pub mod config;
pub mod normalise;
pub mod router;
pub mod rules;

pub use config::Config;
pub use router::{Router, Source};

#[cfg(test)]
mod tests;
