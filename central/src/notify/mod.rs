//! From transitions of rules to pages, as small stages after Alertmanager's design.
//!
//! In the order in which an alert passes them: what fires and what was told of it ([`book`]), holding
//! back what just ended ([`debounce`]), what is told together ([`group`]), who is told ([`route`]),
//! the task that runs these ([`dispatch`]); then per channel who may send ([`claim`]), sending with
//! retries ([`deliver`], [`retry`]) and how the channel does ([`health`]). [`message`] writes the
//! texts, [`channels`] are the ways to people. [`record`] writes the history beside all that,
//! [`unwritten`] holds what the catalogue does not take, and [`restore`] reads both back at the start.
//!
//! Of several centrals one may decide on pages and another send them: the first hands them over by [`others`], beside the
//! catalogue's queue, in which the second finds what it did not hear of.
//!
//! **Latency is the product.** Nothing between a transition and its first send waits for the disk,
//! except the claim, for at most 100 ms.

mod book;
pub mod channels;
mod claim;
pub mod config;
mod debounce;
mod deliver;
mod dispatch;
mod group;
mod handle;
mod health;
pub mod message;
pub mod others;
mod record;
mod restore;
mod retry;
mod route;
mod start;
mod unwritten;

#[cfg(test)]
mod email_tests;
#[cfg(test)]
mod halves_tests;
#[cfg(test)]
mod slack_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use config::NotifyConfig;
pub use handle::Handle;
pub use health::{ChannelHealth, ChannelState};
pub use others::{Delivery, News, Others};
pub use start::{Deps, Halves, NotifyError, memory_bound_bytes, start};
