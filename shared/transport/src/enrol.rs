//! Enrolment: a join token for an identity. The one thing that is done without a certificate.

use std::net::SocketAddr;
use std::time::Duration;

use goldentime_wire::frame::{self, FrameReader};
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::{Control, EnrolRequest};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::authority::SERVER_NAME;
use crate::client::{SessionError, bind, not_connected, resolve};
use crate::endpoint::stranger_client;
use crate::identity::Identity;
use crate::token::{CertificateHash, JoinToken};

/// The longest that one address may take.
const ENROL_TIMEOUT: Duration = Duration::from_secs(8);

/// Why an agent could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No connection, or the central refused.
    #[error("cannot enrol")]
    Session(#[from] SessionError),
    /// The agent's key could not be made.
    #[error("cannot make the agent's key")]
    Key(#[source] rcgen::Error),
}

/// Enrols this host at the central on `address` (`host:port`). The key is made here and never leaves;
/// save the identity before using it.
pub async fn enrol(address: &str, token: &JoinToken, host: &str) -> Result<Identity, EnrolError> {
    let key = KeyPair::generate().map_err(EnrolError::Key)?;
    let request = CertificateParams::default().serialize_request(&key).map_err(EnrolError::Key)?;
    let request = EnrolRequest {
        token_secret: token.secret().to_owned(),
        csr_der: request.der().to_vec().into(),
        host: host.to_owned(),
    };
    let mut last = None;
    for address in resolve(address).await? {
        match timeout(ENROL_TIMEOUT, exchange(address, token, &request)).await {
            Ok(Ok(reply)) => {
                let (agent, project, authority, certificate) = reply;
                return Ok(Identity::new(agent, project, &authority, &certificate, key.serialize_der()));
            }
            Ok(Err(busy @ SessionError::Busy { .. })) => last = Some(busy),
            Ok(Err(SessionError::Unreachable { .. })) | Err(_) => {
                last = Some(SessionError::Unreachable { address });
            }
            Ok(Err(error)) => return Err(error.into()),
        }
    }
    Err(last.unwrap_or(SessionError::Unexpected { expected: "an address" }).into())
}

type Enrolled = (String, String, CertificateDer<'static>, bytes::Bytes);

async fn exchange(
    address: SocketAddr,
    token: &JoinToken,
    request: &EnrolRequest,
) -> Result<Enrolled, SessionError> {
    let endpoint = bind(address)?;
    let connection = endpoint
        .connect_with(stranger_client(token.authority)?, address, SERVER_NAME)
        .map_err(|_| SessionError::Unreachable { address })?
        .await
        .map_err(|error| not_connected(address, error))?;
    let lost = |error| not_connected(address, error);
    let (mut send, receive) = connection.open_bi().await.map_err(lost)?;
    let control = Control { frame: Some(Frame::EnrolRequest(request.clone())) };
    send.write_chunk(frame::to_bytes(&control)?)
        .await
        .map_err(|error| SessionError::StreamEnded { detail: error.to_string() })?;
    let answer = FrameReader::new(receive).next::<Control>().await;
    let answer = match (answer, connection.close_reason()) {
        (Err(_), Some(reason)) => return Err(not_connected(address, reason)),
        (answer, _) => answer?.and_then(|control| control.frame),
    };
    let authority = pinned(&connection, token.authority);
    connection.close(0_u32.into(), b"enrolled");
    endpoint.wait_idle().await;
    match answer {
        Some(Frame::EnrolReply(reply)) => {
            let authority = authority.ok_or(SessionError::Unexpected { expected: "its authority" })?;
            Ok((reply.agent, reply.project, authority, reply.certificate_der))
        }
        Some(Frame::Refused(refused)) => {
            Err(SessionError::Refused { code: refused.code, detail: refused.detail })
        }
        _ => Err(SessionError::Unexpected { expected: "an enrolment" }),
    }
}

/// The pinned authority's certificate, out of the chain that the handshake verified.
fn pinned(connection: &quinn::Connection, fingerprint: CertificateHash) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().find(|certificate| CertificateHash::of(certificate) == fingerprint)
}
