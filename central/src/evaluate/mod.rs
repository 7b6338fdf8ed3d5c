//! Judging: what is asked ([`rule`]), where it stands ([`status`], shown through [`handle`]), what
//! changed ([`transition`]).
//!
//! A touched second is projected onto what each rule counts ([`project`]), kept as running sums
//! ([`ring`]), judged with what is expected but unseen by a state machine for each instance
//! ([`instance`]), all of it driven by the [`engine`] of a partition; [`explain`] says in words what
//! was found, and [`silence`] is the alert of a host that is heard no more.

pub mod handle;
pub mod ring;
pub mod rule;
pub mod status;
pub mod transition;
