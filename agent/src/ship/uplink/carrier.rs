//! The seam between what is sent and the way on which it goes.

use std::future::Future;

use crate::ship::outgoing::Outgoing;
use crate::ship::spool::SpoolError;

/// A way on which records leave.
///
/// Records handed over one after the other arrive in that order within (stream, partition), or not at
/// all; nobody promises that they arrive. A call that waits is back-pressure. After an error nothing
/// more may be handed over: what is not acknowledged by then is sent again over another carrier.
pub(super) trait Carrier: Send {
    /// Why nothing goes any more.
    type Failure: From<SpoolError> + Send;

    /// Takes a record over. May be dropped only together with the carrier.
    fn carry(&mut self, record: Outgoing) -> impl Future<Output = Result<Carried, Self::Failure>> + Send;

    /// Asked when so many bytes had to be read back before something that is live could go: an error
    /// ends the session, so that those become backlog.
    fn fell_behind(&self, _bytes: usize) -> Result<(), Self::Failure> {
        Ok(())
    }
}

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is on its way.
    Sent,
    /// It can never be taken, was counted as lost and has left the spool.
    Discarded,
}
