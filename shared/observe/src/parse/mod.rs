//! From a line to what it says of a request: which [`Role`] each of its [`fields`] plays
//! ([`config`]), read by one of the formats ([`pattern`] for nginx and Apache, whose formats are
//! compiled by [`nginx`] and [`apache`]; [`json`], [`logfmt`], [`regular`]), with numbers and
//! instants by [`number`] and [`instant`].
//!
//! A parser never allocates for a line without escapes, never panics, and says why it could not read
//! a line ([`Unparsed`]).

pub mod apache;
pub mod config;
pub mod fields;
pub mod instant;
pub mod json;
pub mod logfmt;
pub mod nginx;
pub mod number;
pub mod parser;
pub mod pattern;
pub mod regular;
pub mod role;
pub mod unescape;

pub use config::{Config, FormatError};
pub use fields::{Fields, Unparsed};
pub use parser::Parser;
pub use role::Role;

#[cfg(test)]
mod tests;
