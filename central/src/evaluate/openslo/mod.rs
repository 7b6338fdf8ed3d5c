//! OpenSLO v1 files to rules.
//!
//! Text becomes documents of the seven kinds ([`documents`], [`site`], [`read`]), names are resolved
//! ([`catalog`]), each SLO is compiled into rules ([`source`], [`objective`], [`condition`],
//! [`annotations`], [`compile`]), and a folder makes one [`rule_set`], whole or not at all.
//! [`watch`] loads it anew when a file changes, [`report`] says what a folder holds, [`express`] tells
//! agents which observations cannot wait, and [`starter`] rules come with the program.

mod annotations;
mod catalog;
mod compile;
mod condition;
#[cfg(test)]
mod detect_tests;
mod documents;
pub mod express;
mod objective;
mod read;
#[cfg(test)]
mod refused_tests;
pub mod report;
pub mod rule_set;
mod site;
mod source;
pub mod starter;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod watch;

pub use rule_set::{NotificationTarget, RuleSet, SloSummary};
pub use starter::StarterRule;
pub use watch::{RulesHandle, RulesWatch};
