//! From transitions of rules to pages, as small stages after Alertmanager's design.
//!
//! In the order in which an alert passes them: what fires and what was told of it ([`book`]), holding
//! back what just ended ([`debounce`]), why nobody is told ([`suppress`]: another alert inhibits it, by [`inhibit`],
//! somebody silenced it, by [`decisions`], it is not the time, by [`intervals`]), who is told ([`route`], by
//! [`matching`]), what is told together ([`group`]), what is told again, and to whom else
//! ([`reminders`]), the task that runs these ([`dispatch`]) and hands over to channels
//! ([`outlet`]); then per channel who may send ([`claim`]), sending with
//! retries ([`deliver`], [`retry`]) and how the channel does
//! ([`health`]), which [`watchdog`] tells over the others when it is bad, as [`heartbeat`] tells an outside service that all is well. [`message`] writes the
//! texts, [`try_out`] tries a channel, [`channels`] are the ways to people. [`record`] writes the history beside all that,
//! [`unwritten`] holds what the catalogue does not take, and [`restore`] reads both back at the start.
//!
//! Of several centrals one may decide on pages and another send them: the first hands them over by [`others`], beside the
//! catalogue's queue, in which the second finds what it did not hear of.
//!
//! Alerts that others found come by [`foreign`]; [`as_alertmanager`] shows the routes to its tools.
//!
//! **Latency is the product.** Nothing between a transition and its first send waits for the disk,
//! except the claim, for at most 100 ms.

mod as_alertmanager;
mod book;
#[cfg(test)]
mod care_tests;
pub mod channels;
mod claim;
pub mod config;
mod debounce;
pub mod decisions;
mod deliver;
mod dispatch;
pub mod foreign;
mod group;
mod handle;
mod health;
mod heartbeat;
mod inhibit;
mod intervals;
pub mod matching;
pub mod message;
pub mod others;
mod outlet;
mod record;
mod reminders;
mod restore;
mod retry;
mod route;
mod start;
mod suppress;
pub mod try_out;
mod unwritten;
mod watchdog;

#[cfg(test)]
mod email_tests;
#[cfg(test)]
mod halves_tests;
#[cfg(test)]
mod incident_tests;
#[cfg(test)]
mod interleavings_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod slack_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watchdog_tests;

pub use config::NotifyConfig;
pub use decisions::Decisions;
pub use handle::{Grouped, Handle};
pub use health::{ChannelHealth, ChannelState};
pub use others::{Delivery, News, Others};
pub use start::{Deps, Halves, NotifyError, memory_bound_bytes, start};
pub use suppress::Standing;
