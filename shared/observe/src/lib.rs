//! From log lines to counts, for whoever reads lines: the agent from files, the central from what others
//! produce to Kafka.
//!
//! A line is read ([`parse`]), finds its series ([`route`]) and is added to the bucket of its second
//! ([`aggregate`]); where it is shipped it becomes a log [`record`], [`redact`]ed and [`cut`] to what one may
//! hold. [`contents`] is what all of it comes to on the wire.

pub mod aggregate;
pub mod contents;
pub mod cut;
pub mod parse;
pub mod record;
pub mod redact;
pub mod route;
