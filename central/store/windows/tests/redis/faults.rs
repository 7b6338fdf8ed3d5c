//! A server that is away, refuses, has lost its data, or holds what is not ours.

use goldentime_model::config::Secret;
use goldentime_model::units::ByteSize;
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::servers::redis::{PASSWORD, RedisProps};
use goldentime_testkit::wait;
use goldentime_windows::redis::RedisTls;
use goldentime_windows::{GoBack, Losses, RedisConfig, StoreError, Tier, WindowStore};

use crate::stage::{
    NOW, PATIENCE, Stage, assign_in_the_end, cell, hasty, open, patient, put_in_the_end, read_in_the_end,
    stored, try_open, until_degraded,
};

/// An error with its sources, which must not hold the password.
fn told(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

async fn until_losses(store: &impl WindowStore, losses: u64) {
    let have = || async { (store.health().losses.all == losses).then_some(()) };
    wait::until("the loss to be noticed", PATIENCE, have).await.expect("noticed");
}

#[tokio::test]
async fn a_server_that_was_killed_and_comes_back_has_everything_that_it_said_it_had() {
    let mut stage = Stage::start().await;
    let store = stage.store().await;
    store.put(vec![cell("api", NOW, 1), cell("api", NOW + 1, 2)]).await.expect("put");
    stage.server.kill9();
    until_degraded(&store, true).await;
    let error = store.put(vec![cell("api", NOW + 1, 3)]).await.expect_err("away");
    assert!(told(&error).contains(&stage.server.address().to_string()), "{error:?}");
    told(&stored(&store, "api").await.expect_err("away"));
    assert!(store.services().await.is_err() && store.assign(0).await.is_err());
    stage.server.restart().await.expect("restarts");
    until_degraded(&store, false).await;
    assert_eq!(read_in_the_end(&store, "api").await, [(0, 1), (1, 2)]);
    put_in_the_end(&store, &[cell("api", NOW + 1, 3)]).await;
    assert_eq!(read_in_the_end(&store, "api").await, [(0, 1), (1, 3)]);
    // Another process, which may not have what the first had said last.
    assert_eq!(store.health().losses, Losses { all: 0, newest: 1 });
}

#[tokio::test]
async fn a_server_that_lost_its_data_is_noticed_and_takes_everything_again() {
    let mut stage = Stage::start().await;
    let store = stage.store().await;
    let cells = [cell("api", NOW, 1), cell("web", NOW + 1, 2)];
    store.put(cells.to_vec()).await.expect("put");
    stage.server.restart_empty().await.expect("restarts");
    until_losses(&store, 1).await;
    assert_eq!(read_in_the_end(&store, "api").await, []);
    // What the store had said is stored is not taken for stored any more.
    put_in_the_end(&store, &cells).await;
    assert_eq!(read_in_the_end(&store, "api").await, [(0, 1)]);
    assert_eq!(store.services().await.expect("services").len(), 2);
    assert_eq!(store.health().losses, Losses { all: 1, newest: 1 });
}

#[tokio::test]
async fn data_that_are_flushed_away_without_a_cut_are_noticed() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    stage.cli("FLUSHALL");
    until_losses(&store, 1).await;
    put_in_the_end(&store, &[cell("api", NOW, 1)]).await;
    assert_eq!(read_in_the_end(&store, "api").await, [(0, 1)]);
}

#[tokio::test]
async fn whoever_looks_after_a_read_is_told_whether_it_gave_all_that_was_put() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    store.put(vec![cell("api", NOW, 5)]).await.expect("put");
    assert_eq!(store.look().await.expect("answers"), Losses::default());
    stage.cli("FLUSHALL");
    assert_eq!(stored(&store, "api").await.expect("read"), []);
    assert_eq!(store.look().await.expect("answers"), Losses { all: 1, newest: 0 });
    // An older state may come again, from whoever reads the log again.
    store.put(vec![cell("api", NOW, 2)]).await.expect("put");
    assert_eq!(stored(&store, "api").await.expect("read"), [(0, 2)]);
}

#[tokio::test]
async fn a_partition_of_which_all_was_put_again_is_whole_at_once_unless_it_was_lost_meanwhile() {
    let stage = Stage::start().await;
    let (store, next) = (stage.store().await, stage.store().await);
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    let before = store.health().losses;
    stage.cli("FLUSHALL");
    assert_eq!(store.look().await.expect("answers").all, 1);
    store.made_whole(0, before);
    store.look().await.expect("answers");
    assert_eq!(next.assign(0).await.expect("assigned"), GoBack::EVERYTHING, "that was before the loss");
    store.made_whole(0, store.health().losses);
    store.look().await.expect("answers");
    assert_eq!(next.assign(0).await.expect("assigned"), GoBack::NEWEST);
}

#[tokio::test]
async fn a_start_goes_back_as_far_as_cells_are_kept_unless_all_of_them_are_there() {
    let mut stage = Stage::start().await;
    let store = stage.store().await;
    assert_eq!(store.assign(0).await.expect("assigned"), GoBack::EVERYTHING, "nothing was ever put");
    let last = NOW + Tier::TenSeconds.retention_s() + 100;
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    store.put(vec![cell("api", last - 200, 2)]).await.expect("put");
    let next = stage.store().await;
    assert_eq!(next.assign(0).await.expect("assigned"), GoBack::EVERYTHING, "older ones may be missing");
    store.put(vec![cell("api", last, 3)]).await.expect("put");
    let is_whole = || async { (next.assign(0).await.expect("assigned").log_s == 30).then_some(()) };
    wait::until("the partition to be whole", PATIENCE, is_whole).await.expect("whole");
    assert_eq!(next.assign(1).await.expect("assigned"), GoBack::EVERYTHING, "another partition is not");
    stage.server.restart().await.expect("restarts");
    assert_eq!(assign_in_the_end(&next).await.log_s, 30, "a restart with its data loses little");
    stage.server.restart_empty().await.expect("restarts");
    until_losses(&next, 1).await;
    assert_eq!(assign_in_the_end(&next).await, GoBack::EVERYTHING);
}

#[tokio::test]
async fn a_link_that_is_cut_or_half_open_fails_in_time_and_heals() {
    let stage = Stage::start().await;
    let proxy = Proxy::tcp(stage.server.address(), 1).await.expect("proxy");
    let store = open(hasty(proxy.address())).await;
    let mut offset = 0;
    for fault in [Fault::Cut, Fault::HalfOpen, Fault::Cut] {
        offset += 1;
        put_in_the_end(&store, &[cell("api", NOW, offset)]).await;
        proxy.link().set(fault);
        let failed = || async { store.put(vec![cell("api", NOW, offset + 1)]).await.err() };
        told(&wait::until("a put to fail", PATIENCE, failed).await.expect("fails"));
        until_degraded(&store, true).await;
        told(&stored(&store, "api").await.expect_err("away"));
        let since = store.health().degraded.expect("degraded").since;
        proxy.link().set(Fault::None);
        until_degraded(&store, false).await;
        assert!(since.0 > 0);
        assert!(read_in_the_end(&store, "api").await[0].1 >= offset);
    }
    assert_eq!(store.health().losses, Losses::default());
}

#[tokio::test]
async fn a_wrong_password_is_told_at_the_start_and_without_it() {
    let stage = Stage::start().await;
    let wrong = Secret::new("wr0ng");
    for (user, password) in [(None, Some(wrong.clone())), (Some("eve".to_owned()), Some(wrong)), (None, None)]
    {
        let config = RedisConfig { user, password, ..patient(stage.server.address()) };
        let error = try_open(config).await.err().expect("refused");
        let told = told(&error);
        assert!(told.contains("`password`") && !told.contains("wr0ng"), "{told}");
    }
    // One that is changed while the store runs.
    let store = open(hasty(stage.server.address())).await;
    stage.cli("CONFIG SET requirepass other");
    let _ = stage.server.cli(["-a", "other", "CLIENT", "KILL", "TYPE", "normal"]);
    until_degraded(&store, true).await;
    assert!(store.health().degraded.expect("degraded").why.len() > 10);
}

#[tokio::test]
async fn a_store_opens_without_its_server_and_is_degraded_until_it_comes() {
    let mut stage = Stage::start().await;
    stage.server.kill9();
    let config = RedisConfig {
        connect_timeout: hasty(stage.server.address()).connect_timeout,
        ..patient(stage.server.address())
    };
    let store = open(config).await;
    let why = store.health().degraded.expect("degraded").why;
    assert!(why.contains(&stage.server.address().to_string()), "{why}");
    stage.server.restart().await.expect("restarts");
    until_degraded(&store, false).await;
    put_in_the_end(&store, &[cell("api", NOW, 1)]).await;
}

#[tokio::test]
async fn what_another_program_wrote_under_a_key_is_named_and_stops_no_other_cell() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    let key = format!("metrics:{{shop/prod/api}}:1s:{NOW}");
    for command in ["SET", "LPUSH"] {
        stage.cli(&format!("DEL {key}"));
        stage.cli(&format!("{command} {key} theirs"));
        let offset = if command == "SET" { 1 } else { 2 };
        let error =
            store.put(vec![cell("api", NOW, offset), cell("web", NOW, offset)]).await.expect_err("foreign");
        assert!(matches!(error, StoreError::Corrupt { .. }) && told(&error).contains(&key), "{error:?}");
        let error = stored(&store, "api").await.expect_err("foreign");
        assert!(matches!(error, StoreError::Corrupt { .. }) && told(&error).contains(&key), "{error:?}");
        assert_eq!(stored(&store, "web").await.expect("read"), [(0, offset)]);
    }
    stage.cli(&format!("DEL {key}"));
    store.put(vec![cell("api", NOW, 2)]).await.expect("put");
    assert_eq!(stored(&store, "api").await.expect("read"), [(0, 2)]);
    stage.cli(&format!("HSET {key} theirs 1"));
    let error = stored(&store, "api").await.expect_err("a foreign field");
    assert!(told(&error).contains(&key), "{error:?}");
}

#[tokio::test]
async fn a_full_server_refuses_writes_and_serves_reads_until_there_is_room() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    stage.cli("CONFIG SET maxmemory 1");
    let error = store.put(vec![cell("api", NOW, 2)]).await.expect_err("full");
    assert!(told(&error).contains("maxmemory"), "{error:?}");
    assert_eq!(stored(&store, "api").await.expect("read"), [(0, 1)]);
    assert_eq!(store.health().degraded, None, "it is there, and it is read from");
    stage.cli("CONFIG SET maxmemory 0");
    store.put(vec![cell("api", NOW, 2)]).await.expect("put");
    assert_eq!(stored(&store, "api").await.expect("read"), [(0, 2)]);
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_refuses_writes_by_name() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    stage.cli("REPLICAOF 127.0.0.1 1");
    let error = store.put(vec![cell("api", NOW, 2)]).await.expect_err("read-only");
    assert!(told(&error).contains("READONLY"), "{error:?}");
    stage.cli("REPLICAOF NO ONE");
    put_in_the_end(&store, &[cell("api", NOW, 2)]).await;
    assert_eq!(read_in_the_end(&store, "api").await, [(0, 2)]);
}

#[tokio::test]
async fn a_user_who_may_not_write_is_told_what_is_missing() {
    let stage = Stage::start().await;
    stage.cli("ACL SETUSER reader on >secret ~* +@read +@connection +info +cluster");
    let config = RedisConfig {
        user: Some("reader".to_owned()),
        password: Some(Secret::new("secret")),
        ..hasty(stage.server.address())
    };
    let store = open(config).await;
    let error = store.put(vec![cell("api", NOW, 1)]).await.expect_err("forbidden");
    assert!(told(&error).contains("metrics:*"), "{error:?}");
}

#[tokio::test]
async fn what_waits_to_be_written_has_a_limit_and_what_is_above_it_is_refused() {
    let stage = Stage::start().await;
    let limit = ByteSize::mib(1);
    let store = open(RedisConfig { in_flight_bytes_max: limit, ..patient(stage.server.address()) }).await;
    stage.server.pause().expect("paused");
    // Nothing is answered, so each of these waits, until there are too many.
    let puts: Vec<_> = (1..=100)
        .map(|offset| store.put((0..100).map(|n| cell(&format!("s{n}"), NOW, offset)).collect()))
        .collect();
    stage.server.go_on().expect("goes on");
    let mut refused = 0;
    for put in puts {
        if let Err(error) = put.await {
            assert!(told(&error).contains("in_flight_bytes_max"), "{error:?}");
            refused += 1;
        }
    }
    assert!((1..100).contains(&refused), "{refused} of 100 refused");
    put_in_the_end(&store, &[cell("s1", NOW, 5000)]).await;
    assert_eq!(read_in_the_end(&store, "s1").await, [(0, 5000)]);
}

#[tokio::test]
async fn tls_is_spoken_with_an_authority_that_was_named_and_no_other() {
    let stage = Stage::start_with(&RedisProps { tls: true, ..RedisProps::default() }).await;
    let with = |tls| RedisConfig { tls, ..patient(stage.server.address()) };
    let named = RedisTls { ca_file: Some(stage.server.certificate()), ..RedisTls::default() };
    let store = open(with(Some(named))).await;
    store.put(vec![cell("api", NOW, 1)]).await.expect("put");
    assert_eq!(stored(&store, "api").await.expect("read"), [(0, 1)]);

    let hasty = hasty(stage.server.address());
    for (tls, word) in [(Some(RedisTls::default()), "certificate"), (None, "")] {
        let store = open(RedisConfig { tls, ..hasty.clone() }).await;
        let why = store.health().degraded.expect("degraded").why;
        assert!(why.contains(word), "{why}");
    }
    let missing = RedisTls { ca_file: Some("/nonexistent.pem".into()), ..RedisTls::default() };
    let error = try_open(with(Some(missing))).await.err().expect("no such file");
    assert!(told(&error).contains("/nonexistent.pem"), "{error:?}");
}

#[tokio::test]
async fn a_cluster_and_one_server_are_not_taken_for_each_other() {
    let stage = Stage::start().await;
    let error = try_open(RedisConfig { cluster: true, ..patient(stage.server.address()) }).await;
    let told = told(&error.err().expect("refused"));
    assert!(told.contains("`cluster: false`"), "{told}");
}
