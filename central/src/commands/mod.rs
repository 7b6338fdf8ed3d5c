//! The commands of the program: [`serve`] runs the central, [`check`] looks at its configuration
//! before, [`token`] manages join tokens and [`agents`] those that joined with them, [`access`] accounts and
//! API tokens, [`alerts`] who takes care of which alert, [`deadletter`] looks at what could not be taken and gives it back, [`authority`] prints the
//! certificate of its authority, [`backup`] copies and returns the
//! state, [`migrate`] brings databases to this version's layout, [`ready`] is a health check. The command line itself is [`crate::cli`].

pub mod access;
pub mod agents;
pub mod alerts;
pub mod authority;
pub mod backup;
pub mod check;
pub mod deadletter;
pub mod migrate;
pub mod print;
pub mod ready;
pub mod serve;
pub mod token;
