//! Reading files that people write: both programs' configuration, and the SLO files.
//!
//! In the order in which a setting is read: text with a name ([`source`]) becomes a tree in which
//! every value knows its place ([`node`], [`yaml`]); further files, the environment and
//! flags are laid over it ([`overlay`], [`environment`], [`flag`]); it is read into a typed struct, all faults at once ([`decode`], [`fault`]); then the struct's own rules are asked ([`check`]). [`load()`] does all of it.
//! [`secret`] keeps passwords out of files and logs, [`reference`] writes the manual page.

pub mod check;
mod de;
pub mod decode;
pub mod environment;
pub mod fault;
pub mod flag;
pub mod load;
pub mod node;
pub mod overlay;
pub mod reference;
mod refused;
pub mod secret;
pub mod source;
pub mod yaml;

pub use check::{Check, Settings};
pub use decode::decode;
pub use fault::{Fault, Faults, nearest};
pub use flag::Flag;
pub use load::{LoadOptions, load, load_with_places};
pub use node::Node;
pub use secret::{Secret, SecretError};
pub use source::{Place, Source};
