//! Who may use the central: [`record`] is what is kept, [`store`] the contract, [`conformance`] the suite
//! that every backend passes.

pub mod conformance;
pub mod record;
pub mod store;

pub use record::{Account, ApiToken, NewAccount, Removed, Role, SecretHash, Session, SetupLink};
pub use store::AccessStore;

/// Accounts whose names differ in case alone are the same: they have one key.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}
