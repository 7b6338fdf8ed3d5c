//! Judging: what is asked ([`rule`]), where it stands ([`status`]), what changed ([`transition`]).

pub mod rule;
pub mod status;
pub mod transition;
