//! Saturation of services, each second: a systemd unit, a container's cgroup, or processes picked by
//! name, and how near each is to the limits set for it.
//!
//! An entry of the configuration ([`config`]) is compiled to what it looks for ([`selector`], [`unit`]),
//! which is found in the tree of cgroups of either version ([`hierarchy`]) or among the processes
//! ([`scan`]). Each thing found is a [`group`]: a [`cgroup`] with one file a collector ([`cpu`],
//! [`memory`], [`tasks`], [`pressure`], [`io`]), and [`processes`], one [`process`] each. [`services`]
//! finds and reads them all, [`input`] runs that, [`status`] says how it stands.
//!
//! The kernel's files ([`kernel_file`]) are opened once and read again in place. The same readings have
//! the same names whichever way a service is found: `container.*` is what the kernel accounts to a cgroup,
//! `process.*` what it says of single processes.

mod cgroup;
pub mod config;
mod cpu;
mod group;
mod hierarchy;
pub mod input;
mod io;
mod kernel_file;
mod machine;
mod memory;
mod pressure;
mod process;
mod processes;
mod scan;
mod selector;
pub mod services;
pub mod status;
mod tasks;
mod unit;

pub use config::{Config, Entry};
pub use input::ServicesHandle;
pub use services::Services;
pub use status::ServiceStatus;

#[cfg(test)]
mod tests;
