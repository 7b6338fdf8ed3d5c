//! `bench-alert`: from the request that makes a rule true to the webhook, side by side with Prometheus
//! and Alertmanager over the same traffic.
//!
//! [`stage`] is what a trial is played on, [`upstream`] the application that turns bad, [`rules`] are the rules in both languages,
//! [`trial`] breaks and heals one service at random instants, [`receiver`] notes when each side pages,
//! [`oracle`] finds the tipping request in nginx's own log, and [`outcome`] puts them together.

pub mod oracle;
pub mod outcome;
pub mod receiver;
pub mod rules;
pub mod stage;
pub mod trial;
pub mod upstream;
