//! What both programs run on: tasks that have a kind ([`tasks`]), time that is given ([`clock`]),
//! logs ([`logging`]) and metrics about oneself ([`self_metrics`]), word to systemd
//! ([`service_manager`]), the folder that one
//! process holds ([`state_dir`]), and the manual that packages carry ([`manual`]).

pub mod clock;
pub mod logging;
pub mod manual;
pub mod self_metrics;
pub mod service_manager;
pub mod state_dir;
pub mod tasks;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use service_manager::ServiceManager;
pub use state_dir::{StateDir, StateDirError, make_files_private};
pub use tasks::{Drained, TaskKind, Tasks};
