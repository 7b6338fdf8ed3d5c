//! A write that stalls and arrives when a newer one has been written: it must not replace it.

use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::wait;
use goldentime_windows::{RedisWindows, WindowStore};

use crate::stage::{NOW, PATIENCE, Stage, cell, hasty, open, put_in_the_end, read_in_the_end};

/// As many as a normal run has time for; `GOLDENTIME_REDIS_TRIALS` has more.
fn trials() -> i64 {
    std::env::var("GOLDENTIME_REDIS_TRIALS").ok().and_then(|trials| trials.parse().ok()).unwrap_or(20)
}

/// Puts until a put fails because the server does not answer.
async fn stall(store: &RedisWindows, at: i64) {
    let failed = || async { store.put(vec![cell("api", at, 1)]).await.err() };
    wait::until("a put to stall", PATIENCE, failed).await.expect("stalls");
}

fn fields(stage: &Stage, at: i64) -> usize {
    let keys = stage.cli(&format!("HKEYS metrics:{{shop/prod/api}}:1s:{at}"));
    keys.lines().filter(|line| !line.is_empty()).count()
}

#[tokio::test]
async fn a_stalled_write_that_arrives_after_a_newer_one_changes_nothing() {
    let stage = Stage::start().await;
    let proxy = Proxy::tcp(stage.server.address(), 1).await.expect("proxy");
    let store = open(hasty(proxy.address())).await;
    for trial in 0..trials() {
        let at = NOW + trial % 300;
        let newer = 2 + trial as u64;
        put_in_the_end(&store, &[cell("web", at, newer)]).await;
        // What is written now is held back; connections that are made from now on pass.
        proxy.link().set(Fault::Stall);
        stall(&store, at).await;
        put_in_the_end(&store, &[cell("api", at, newer)]).await;
        assert_eq!(fields(&stage, at), 1, "the newer one alone has arrived");
        proxy.link().set(Fault::None);
        let arrived = || async { (fields(&stage, at) == 2).then_some(()) };
        wait::until("the stalled write to arrive", PATIENCE, arrived).await.expect("arrives");
        let found = read_in_the_end(&store, "api").await;
        assert!(found.contains(&(at - NOW, newer)), "trial {trial}: {found:?}");
    }
}

#[tokio::test]
async fn a_server_that_stood_still_takes_old_and_new_in_any_order() {
    let stage = Stage::start().await;
    let store = open(hasty(stage.server.address())).await;
    for trial in 0..trials() {
        let at = NOW + trial % 300;
        put_in_the_end(&store, &[cell("web", at, 2 + trial as u64)]).await;
        stage.server.pause().expect("paused");
        stall(&store, at).await;
        stage.server.go_on().expect("goes on");
        for offset in 2..5 {
            put_in_the_end(&store, &[cell("api", at, offset)]).await;
            let found = read_in_the_end(&store, "api").await;
            assert!(found.contains(&(at - NOW, offset)), "trial {trial}: {found:?}");
        }
    }
}
