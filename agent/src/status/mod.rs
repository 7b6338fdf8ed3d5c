//! What a running agent says of itself: a [`report`], served on a Unix [`socket`], fetched by a
//! [`client`], and shown as a [`page`], of which [`services`] and [`uplink`] are parts.

pub mod client;
pub mod page;
pub mod report;
pub(crate) mod services;
pub mod socket;
pub(crate) mod uplink;

pub use report::{Report, Sources};
