//! Judging: rules over windows.
pub mod rule;
