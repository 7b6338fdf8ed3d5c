//! What every PostgreSQL database of the central has in common.
//!
//! [`config`] says where it is, [`connect`] opens one connection to it, [`pool`] keeps some, [`layout`]
//! brings it to this version's layout, [`database`] is all of that to its users, [`error`] what may go
//! wrong, [`instant`] how a second stands in it, and [`text`] what it makes of free text.

pub mod config;
mod connect;
pub mod database;
pub mod error;
pub mod instant;
pub mod layout;
mod pool;
mod text;

pub use config::{PostgresConfig, Tls};
pub use database::{Database, Session};
pub use error::{Error, Placed};
pub use instant::Instant;
pub use layout::Layout;
pub use text::text;
