//! What a running agent says of itself: a [`report`], served on a Unix [`socket`], fetched by a
//! [`client`], and shown as a [`page`], of which
//! [`services`] is a part.

pub mod client;
pub mod page;
pub mod report;
pub(crate) mod services;
pub mod socket;

pub use report::{Report, Sources};
