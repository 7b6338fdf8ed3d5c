//! What `bench-agent` and `bench-statsd` do to a real agent: nothing ([`idle`]), access logs that grow
//! faster than it reads ([`feed`], of [`lines`]), and StatsD ([`statsd`], of [`datagrams`] by the
//! [`sender`]); [`status`] asks it how far it is.

pub mod datagrams;
pub mod feed;
pub mod idle;
pub mod lines;
pub mod sender;
pub mod statsd;
pub mod status;
