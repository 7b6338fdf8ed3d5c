//! `make demo`: the whole of Goldentime over the shop on one machine.
//!
//! [`stack`] starts everything, [`pages`] receives what is paged and prints it.

pub mod pages;
pub mod stack;
