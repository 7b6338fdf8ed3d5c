//! The commands of the program: [`serve`] runs the central, [`check`] looks at its configuration
//! before, [`token`] manages join tokens. The command line itself is [`crate::cli`].

pub mod check;
pub mod serve;
pub mod token;
