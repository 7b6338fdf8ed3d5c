//! Quantities as people write them in files: durations ([`HumanDuration`]), sizes ([`ByteSize`]),
//! rates ([`Rate`]), shares ([`Ratio`]), OpenSLO's own duration shorthand ([`Shorthand`]), and addresses to
//! listen on ([`listen_address`]).
//!
//! Every quantity carries its unit, so that no file has to be read beside a manual. A bare number is
//! refused wherever it could mean two things.

mod address;
mod bytes;
mod duration;
mod rate;
mod ratio;
mod shorthand;
mod text;

pub use address::listen_address;
pub use bytes::ByteSize;
pub use duration::HumanDuration;
pub use rate::Rate;
pub use ratio::Ratio;
pub use shorthand::{Shorthand, ShorthandUnit};

/// Why a text is no quantity. Says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Nothing was written.
    #[error("is empty; write a {kind} such as {example}")]
    Empty {
        /// What was wanted.
        kind: &'static str,
        /// One of it.
        example: &'static str,
    },
    /// A number without a unit.
    #[error("`{text}` has no unit; write for example {example}")]
    NoUnit {
        /// What was written.
        text: String,
        /// The same number with a unit.
        example: String,
    },
    /// A unit that does not exist here.
    #[error("`{text}` has the unknown unit `{unit}`; known are {known}")]
    UnknownUnit {
        /// What was written.
        text: String,
        /// The unit in it.
        unit: String,
        /// All that there are.
        known: &'static str,
    },
    /// Not of the form at all.
    #[error("`{text}` is no {kind}; write for example {example}")]
    Form {
        /// What was written.
        text: String,
        /// What was wanted.
        kind: &'static str,
        /// One of it.
        example: &'static str,
    },
    /// Outside what can be held.
    #[error("`{text}` is out of range: {limit}")]
    Range {
        /// What was written.
        text: String,
        /// What is allowed.
        limit: &'static str,
    },
}
