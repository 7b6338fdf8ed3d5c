//! Exchanges a join token for a client certificate.

use goldentime_catalog::registry::{Enrolment, Fingerprint};
use goldentime_transport::token::{CertificateHash, SecretHash};
use goldentime_wire::REFUSED_UNAVAILABLE;
use goldentime_wire::proto::{EnrolReply, EnrolRequest, Refused};

use super::shared::Shared;
use crate::access::AUDIT;
use crate::ingest::registry::TokenState;

/// Random bytes of an agent's id.
const AGENT_ID_BYTES: usize = 8;
/// Longest host name that is taken.
const HOST_BYTES_MAX: usize = goldentime_model::identity::NAME_BYTES_MAX;

/// Answers a request: a certificate, or why not.
pub async fn answer(request: &EnrolRequest, shared: &Shared) -> Result<EnrolReply, Refused> {
    if goldentime_model::identity::check_name(&request.host).is_err() || request.host.len() > HOST_BYTES_MAX {
        return Err(refused(
            "invalid_host",
            "the agent's host name is empty, too long or holds / { }; set `host` in agent.yaml",
        ));
    }
    let now = shared.clock.now();
    let secret = SecretHash::of(&request.token_secret);
    let (state, project) = shared.registry.token(&secret, now).await.map_err(|error| broken(&error))?;
    if state != TokenState::Good {
        return Err(not_good(state));
    }
    let mut id = [0; AGENT_ID_BYTES];
    getrandom::fill(&mut id).map_err(|error| broken(&error))?;
    let agent: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = shared.authority.sign_agent(&request.csr_der, &agent, &project, now);
    let certificate = signed.map_err(|error| refused("invalid_request", &error.to_string()))?;
    let enrolment = Enrolment {
        certificate: Fingerprint(CertificateHash::of(&certificate).0),
        agent: agent.clone(),
        project: project.clone(),
        host: request.host.clone(),
    };
    if !shared.registry.enrol(&secret, enrolment, now).await.map_err(|error| broken(&error))? {
        // Another agent was quicker, or somebody ended the token just now.
        let (state, _) = shared.registry.token(&secret, now).await.map_err(|error| broken(&error))?;
        return Err(not_good(state));
    }
    tracing::info!(target: AUDIT, event = "agent_enrolled", agent, project, host = ?request.host, "an agent was enrolled");
    Ok(EnrolReply { agent, project, certificate_der: certificate.to_vec().into() })
}

/// Why a token lets nobody in.
fn not_good(state: TokenState) -> Refused {
    let (code, what) = match state {
        TokenState::Unknown => ("token_unknown", "this central did not make that join token; make one"),
        TokenState::Expired => ("token_expired", "the join token has expired; make a new one"),
        TokenState::Revoked => ("token_revoked", "the join token was revoked; make a new one"),
        TokenState::UsedUp => {
            ("token_used_up", "as many agents as allowed have joined with the join token; make a new one")
        }
        TokenState::Good => {
            ("token_contested", "the join token changed meanwhile; try again, or make a new one")
        }
    };
    refused(code, &format!("{what} with `goldentime-central token create`"))
}

/// A refusal with a stable code.
pub fn refused(code: &str, detail: &str) -> Refused {
    metrics::counter!("goldentime_uplink_refused_total", "reason" => code.to_owned()).increment(1);
    Refused { code: code.to_owned(), detail: detail.to_owned() }
}

/// A fault of ours: the log has the cause.
pub fn broken(error: &(dyn std::error::Error + 'static)) -> Refused {
    tracing::error!(error, "the registry of agents cannot answer");
    refused(REFUSED_UNAVAILABLE, "the central cannot read its registry of agents; its log has the cause")
}
