//! HTTP: the API, the live WebSocket, health, metrics and the dashboard's files. No logic of its own:
//! each handler asks a station and writes down the answer.
//!
//! [`server`] listens, [`guard`] decides who may ask, [`router`] names the routes, [`state`] is what
//! the handlers read, [`problem`] how they refuse.

mod alerts;
mod dashboard;
mod guard;
mod health;
mod live;
mod problem;
mod router;
pub mod server;
pub mod state;
mod status;
mod windows;

pub use server::{ServeError, bind, serve};
pub use state::ApiState;
