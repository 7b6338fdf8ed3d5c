//! Records over a QUIC stream of their class.

use goldentime_transport::client::RecordSender;

use super::session::SessionFailure;
use crate::ship::outgoing::Outgoing;
use crate::ship::uplink::carrier::{Carried, Carrier};

/// A stream of a session.
pub(super) struct Sender(pub(super) RecordSender);

impl Carrier for Sender {
    type Failure = SessionFailure;

    async fn carry(&mut self, record: Outgoing) -> Result<Carried, SessionFailure> {
        self.0.send(record.encode().into()).await?;
        Ok(Carried::Sent)
    }
}
