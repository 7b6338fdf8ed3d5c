//! Sequential tests beside the windows: a [`guard`] that few requests page nobody by chance, a [`watch`] for
//! what leaves its own recent level, and how both are [`kept`] over a restart.

pub(super) mod guard;
pub(super) mod kept;
#[cfg(test)]
mod tests;
pub(super) mod watch;

pub use watch::Shifted;
