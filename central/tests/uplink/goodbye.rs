//! An agent that says goodbye closes its connection as soon as the transport has it.

use goldentime_testkit::blocked::Blocked;
use goldentime_transport::authority::SERVER_NAME;
use goldentime_wire::frame;

use super::*;

async fn say(control: &mut quinn::SendStream, it: Frame) {
    let bytes = frame::to_bytes(&proto::Control { frame: Some(it) }).expect("fits");
    control.write_all(&bytes).await.expect("written");
}

#[tokio::test]
async fn a_goodbye_is_heard_although_the_connection_was_closed_before_anybody_listened() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let config = endpoint::enrolled_client(&central.enrolled().await).expect("config");
    let address: SocketAddr = central.address.parse().expect("an address");
    // With one round, a central that listens to whatever comes first would often be lucky.
    for _ in 0..5 {
        // The session notes that the agent was seen before it listens: until the lock is released.
        let busy = Blocked::lock(&state.path().join("agents.db")).await.expect("locked");
        let agent = quinn::Endpoint::client("127.0.0.1:0".parse().expect("valid")).expect("endpoint");
        let connecting = agent.connect_with(config.clone(), address, SERVER_NAME).expect("begun");
        let connection = connecting.await.expect("connected");
        let (mut control, _replies) = connection.open_bi().await.expect("stream");
        say(&mut control, Frame::Hello(hello(1))).await;
        say(&mut control, Frame::Goodbye(proto::Goodbye { reason: "test".into() })).await;
        control.finish().expect("open");
        let came = timeout(SOON, central.agents.recv()).await.expect("in time");
        assert!(matches!(came, Some(AgentEvent::Connected(_))), "{came:?}");
        timeout(SOON, control.stopped()).await.expect("in time").expect("the transport has it");
        connection.close(0_u32.into(), b"goodbye");
        agent.wait_idle().await;
        busy.release().await.expect("released");
        let left = timeout(SOON, central.agents.recv()).await.expect("the goodbye is heard");
        assert!(matches!(left, Some(AgentEvent::Left(_))), "{left:?}");
    }
    central.stop().await;
}
