//! HTTP: the API, the live WebSocket, health, metrics and the dashboard's files. No logic of its own:
//! each handler asks a station and writes down the answer.
//!
//! [`config`] is what can be set. A request comes through [`server`] (over [`tls`] if so configured), which
//! notes its [`peer`]; [`guard`] holds for all; [`router`] names the routes and whom each is for, which
//! [`authorize`] enforces. [`state`] is what the handlers read, [`problem`] how they refuse, [`cookie`] how
//! a browser stays signed in.

mod alerts;
mod api_tokens;
mod authorize;
pub mod config;
mod cookie;
mod dashboard;
mod dead_letters;
mod episodes;
mod guard;
mod health;
mod history;
mod live;
mod logs;
mod peer;
mod problem;
pub mod router;
mod samples;
pub mod server;
mod session;
mod setup;
mod span;
pub mod state;
mod status;
pub mod tls;
mod v2;
mod windows;

pub use config::HttpConfig;
pub use server::{Listener, ServeError, bind, serve, serve_health};
pub use state::{ApiState, Front};
pub use tls::Certificate;
