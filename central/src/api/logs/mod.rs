//! Log lines over HTTP: [`asked`] reads the parameters, [`find`] searches, [`tail`] shows lines as they are
//! stored, [`shown`] is how lines are written down.

mod asked;
pub(super) mod find;
mod shown;
pub(super) mod tail;
