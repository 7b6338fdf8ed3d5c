//! Sources of observations, samples and log records.
//!
//! A line comes from a file ([`tail`]), is read ([`parse`]), finds its series ([`route`]) and, where
//! it is shipped as a log record, is [`redact`]ed.

pub mod parse;
pub mod redact;
pub mod route;
pub mod tail;
