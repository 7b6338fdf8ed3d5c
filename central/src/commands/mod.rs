//! The commands of the program: [`serve`] runs the central, [`token`] manages join tokens. The
//! command line itself is [`crate::cli`].

pub mod serve;
pub mod token;
