//! Judging: what is asked ([`rule`], read by [`openslo`]), where it stands ([`status`], shown through
//! [`handle`]), what changed ([`transition`]).
//!
//! A touched second is projected onto what each rule counts ([`project`]), kept as running sums
//! ([`ring`]), and judged together with what is expected but unseen ([`expectation`]) by a state
//! machine for each [`instance`]; [`rule_instances`] holds those of one rule over one service, [`judge`]
//! the rules of one service, [`engine`] those of one partition. [`several`] judges services together. [`stray`] compares seconds with what is usual; [`detect`] asks for
//! evidence where requests are few, and finds shares that left their own level.
//! [`span`] is how far a window reaches,
//! [`labels`] what an alert is known by. [`explain`] says in words what was found, and [`blame`] where it comes from. [`silence`] is the alert of a host that is
//! heard no more, [`incomplete`] that of a service of which nothing can be said.

mod blame;
pub mod detect;
pub mod engine;
#[cfg(test)]
mod engine_tests;
pub mod expectation;
pub mod explain;
pub mod handle;
pub mod incomplete;
pub mod instance;
pub mod judge;
mod labels;
pub mod openslo;
pub mod project;
pub mod ring;
pub mod rule;
mod rule_instances;
pub mod several;
pub mod silence;
mod span;
#[cfg(test)]
mod starter_tests;
pub mod status;
pub mod stray;
#[cfg(test)]
mod stray_tests;
#[cfg(test)]
pub(crate) mod testing;
pub mod transition;
