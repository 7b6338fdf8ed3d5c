//! Rules tried out where nobody is paged: over made-up series ([`cases`], written in files, [`values`] their
//! short hand; [`verdict`] compares), over stored history ([`replay`](mod@replay)), and budgets as they would be
//! ([`what_if`]). [`desk`] drives the evaluator that pages, second by second.

pub mod cases;
pub mod desk;
pub mod replay;
mod values;
mod verdict;
pub mod what_if;

pub use desk::{Desk, Episode};
