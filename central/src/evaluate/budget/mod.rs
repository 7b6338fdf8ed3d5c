//! Error budgets: what an SLO promises over days, kept as events come.
//!
//! An [`objective`] counts events (or time [`slices`]) over a [`period`], [`maintenance`] left out. Its sums
//! over every window that somebody asks for are kept in slots ([`tier`]) of one [`track`] a part; [`tracks`]
//! are those of one service, with the rules that are judged by them ([`burn`]) and how they stand ([`status`]).
//! What was before a track began is read once ([`history`]) by a task of its own ([`reader`]);
//! so is, when somebody asks, what it was [`spent`] by, and how it stands by history alone ([`as_of`]).

mod as_of;
mod burn;
pub mod history;
pub mod maintenance;
pub mod objective;
pub mod period;
pub mod reader;
pub mod slices;
pub mod spent;
pub mod status;
#[cfg(test)]
mod tests;
mod tier;
mod track;
pub(super) mod tracks;

pub use as_of::as_of;
pub use maintenance::Maintenance;
pub use objective::{GoodSlice, Method, Objective};
pub use period::{BudgetWindow, Calendar};
pub use reader::{Answer, Ask};
pub use status::BudgetStatus;
pub use track::Past;
