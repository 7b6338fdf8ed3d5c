//! How agents and centrals reach one another: QUIC with TLS 1.3, always, under the central's own
//! certificate authority.
//!
//! In the order of an agent's life: the central makes its authority ([`authority`]) and a join token
//! ([`token`]); the agent pins the authority by the token's fingerprint ([`pin`]) and is enrolled
//! ([`enrol`]), which gives it an identity to keep ([`identity`]); from then on it connects with that
//! ([`client`]) to endpoints set up in [`endpoint`], and measures its clock's offset ([`offset`]).
//! A central that was killed and runs again tells it so ([`reset`]).

pub mod authority;
pub mod client;
pub mod endpoint;
pub mod enrol;
pub mod identity;
pub mod offset;
pub mod pin;
pub mod private_file;
mod reset;
pub mod token;
