//! What `bench-agent` does to a real agent: nothing ([`idle`]), and access logs that grow faster than
//! it reads ([`feed`], of [`lines`]); [`status`] asks it how far it is.

pub mod feed;
pub mod idle;
pub mod lines;
pub mod status;
