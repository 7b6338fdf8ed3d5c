//! Rules over several services: one objective over the requests of all of them together.
//!
//! Services live in many partitions. What those of one partition add is summed up there, [`part`] by part ([`source`]), and
//! reported ([`word`]) to the partition that the SLO's own id hashes to, which judges ([`group`], [`judges`])
//! as for services of its own: by its tenure, and with its alerts. A report that is lost is noticed by its number,
//! and everything is asked for anew.

pub mod group;
pub mod judges;
#[cfg(test)]
mod judges_tests;
#[cfg(test)]
mod oracle_tests;
mod part;
mod rule;
pub mod source;
#[cfg(test)]
mod testing;
pub mod word;
