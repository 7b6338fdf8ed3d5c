//! A central that was killed tells nobody; the one that runs in its place does.

use goldentime_transport::authority::{Authority, SERVER_NAME, ServerCertificate};
use tokio::runtime::Runtime;

use super::*;

/// A central's endpoint as a process of its own: it ends with the runtime, and says nothing then.
fn listening(state: &Path, address: SocketAddr) -> (Runtime, quinn::Endpoint, Authority) {
    let now = SystemClock.now();
    let authority = || Authority::open(state, now).expect("authority");
    let certificate = ServerCertificate::new(authority().into(), Vec::new(), now).expect("certificate");
    let runtime = Runtime::new().expect("runtime");
    let endpoint = runtime.block_on(async {
        let endpoint = endpoint::serve(address, &certificate, "").expect("listens");
        let accepting = endpoint.clone();
        Tasks::new().spawn(TaskKind::Upkeep, "accept", async move {
            while let Some(incoming) = accepting.accept().await {
                incoming.await.expect("connects").closed().await;
            }
        });
        endpoint
    });
    (runtime, endpoint, authority())
}

#[test]
fn a_connection_ends_at_once_when_its_central_was_killed_and_runs_again() {
    let state = tempfile::tempdir().expect("temporary folder");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (killed, endpoint, authority) = listening(state.path(), any);
    let address = endpoint.local_addr().expect("bound");
    let agent = Runtime::new().expect("runtime");
    let connection = agent.block_on(async {
        let agent = quinn::Endpoint::client(any).expect("endpoint");
        let config = endpoint::stranger_client(authority.fingerprint()).expect("config");
        agent.connect_with(config, address, SERVER_NAME).expect("begun").await.expect("connected")
    });
    drop(killed);
    drop(endpoint);
    let _again = listening(state.path(), address);
    let ended = agent.block_on(async {
        let (mut control, _replies) = connection.open_bi().await.expect("stream");
        control.write_all(b"as long as a ping").await.expect("written");
        timeout(endpoint::IDLE_TIMEOUT / 2, connection.closed()).await
    });
    assert!(matches!(ended, Ok(quinn::ConnectionError::Reset)), "{ended:?}");
}
