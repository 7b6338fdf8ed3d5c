//! What both programs run on: tasks that have a kind ([`tasks`]), time that is given ([`clock`]),
//! logs ([`logging`]) and metrics about oneself ([`self_metrics`]).

pub mod clock;
pub mod logging;
pub mod self_metrics;
pub mod tasks;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use tasks::{Drained, TaskKind, Tasks};
