//! Dead letters over the real programs: an agent is refused, somebody looks, mends, and has it given back.

mod cluster;
mod lines;
mod search_server;
mod world;

use goldentime_testkit::programs::Central;
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_testkit::servers::redis::{self, Redis, RedisProps};
use goldentime_testkit::wait;
use goldentime_wire::proto::Record;
use prost::Message;
use world::{
    Agent, PARTITIONS, SOON, api_token, assert_counted, central, central_with, deadletter, letters, listed,
    misplaced, present, record, replaying, said,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_listed_shown_and_given_back_to_be_counted_once() {
    let folder = tempfile::tempdir().expect("folder");
    let central = central(folder.path()).await;
    let config = central.config.file();
    let mut agent = Agent::of(&central).await;
    let now = present();
    let lost = misplaced(record(2, now - 100, 30));
    let blank = Record { host: "\t".into(), ..record(3, now, 500) };
    // What was not acknowledged is sent again; garbage names no place and never is.
    agent.send_all(&[record(1, now, 1), lost.clone(), lost.clone(), blank, record(4, now, 1)]).await;
    agent.send(vec![0xff; 40]).await;
    let found = letters(&config, &[], 3).await;
    let reasons: Vec<_> = found.iter().map(|letter| letter["reason"].as_str().expect("text")).collect();
    assert_eq!(reasons, ["protobuf", "name", "partition"], "newest first");
    assert_eq!((&found[2]["times"], &found[2]["agent"]), (&2.into(), &agent.id.as_str().into()));
    assert_counted(&central, 2).await;

    let id = |at: usize| found[at]["id"].as_str().expect("text");
    let (shown, _) = said(&deadletter(&config, &["show", id(2)]));
    for part in
        ["shop/prod/order-api belongs to partition", "would be taken; too late", "\"ok\": 30", "web-1"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(deadletter(&config, &["show", "--raw", id(2)]).stdout, lost.encode_to_vec());
    let (garbage, _) = said(&deadletter(&config, &["show", id(0)]));
    assert!(garbage.contains("cannot be read") && garbage.contains("ff ff ff"), "{garbage}");
    assert!(!deadletter(&config, &["show", "1000"]).status.success());
    let by_filter = |args: &[&str]| listed(&config, args).len();
    assert_eq!(by_filter(&["--reason", "name"]), 1);
    assert_eq!(by_filter(&["--agent", &agent.id, "--since", "1h"]), 3);
    assert_eq!(by_filter(&["--agent", "web-2"]), 0);
    let (summary, _) = said(&deadletter(&config, &["list", "--summary"]));
    assert_eq!(summary.lines().count(), 4, "{summary}");

    let dry = deadletter(&config, &["replay", "--all", "--dry-run"]);
    let (plan, _) = said(&dry);
    assert!(plan.contains("would be given back: 1, would be refused again: 2"), "{plan}");
    let replayed = deadletter(&config, &["replay", "--reason", "partition", "--since", "1h"]);
    let (told, error) = said(&replayed);
    assert!(replayed.status.success(), "{told}{error}");
    assert!(
        told.contains("given back: 1, refused again: 0") && told.contains("not judged any more"),
        "{told}"
    );
    assert_counted(&central, 32).await;

    // Not again by accident, and what cannot be taken stays with its reason and fails the command.
    let (told, _) = said(&deadletter(&config, &["replay", id(2)]));
    assert!(told.contains("replayed before") && told.contains("nothing to replay"), "{told}");
    let refused = deadletter(&config, &["replay", "--all"]);
    let (told, error) = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}{error}");
    assert!(told.contains("name: host: a name is empty or blank"), "{told}");
    assert_eq!(listed(&config, &[]).len(), 2);
    assert_eq!(listed(&config, &["--replayed"]).len(), 3);
    assert_eq!(deadletter(&config, &["replay"]).status.code(), Some(2), "which ones?");
    assert_counted(&central, 32).await;
    central.stop().await.expect("stops");
}

/// Has many letters given back while command and central are killed, at most so often, and gives how often.
async fn replay_under_kills(mut central: Central, letters_count: u64, kills_max: u32) -> (Central, u32) {
    let config = central.config.file();
    let mut agent = Agent::of(&central).await;
    let now = present();
    let records: Vec<_> = (1..=letters_count)
        .map(|number| misplaced(record(number, now - i64::try_from(number % 60).expect("small"), 1)))
        .collect();
    agent.send_all(&records).await;
    letters(&config, &[], usize::try_from(letters_count).expect("small")).await;

    let mut kills = 0;
    while kills < kills_max {
        let before = listed(&config, &[]).len();
        let mut command = replaying(&config);
        let moved = || async {
            let left = listed(&config, &[]).len();
            (left < before || left == 0).then_some(left)
        };
        let left = wait::until("letters to be given back", SOON, moved).await.expect("in time");
        command.kill().expect("killed");
        command.wait().expect("ended");
        if left == 0 {
            break;
        }
        kills += 1;
        central = central.kill9().start().await.expect("starts again");
    }
    println!("killed {kills} times");
    assert!(kills > 0, "never killed in the midst of it");
    let last = deadletter(&config, &["replay", "--all"]);
    assert!(last.status.success(), "{:?}", said(&last));
    assert!(listed(&config, &[]).is_empty());
    (central, kills)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_again_and_again_counts_each_letter_once() {
    let folder = tempfile::tempdir().expect("folder");
    let (central, _) = replay_under_kills(central(folder.path()).await, 1500, 8).await;
    assert_counted(&central, 1500).await;
    let central = central.stop().await.expect("stops").start().await.expect("starts again");
    assert_counted(&central, 1500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_into_kafka_that_is_killed_counts_each_letter_once() {
    let folder = tempfile::tempdir().expect("folder");
    let kafka = Kafka::start(Shape::brokers(1)).await.expect("Kafka starts");
    let redis =
        Redis::start(&folder.path().join("redis"), &RedisProps::default()).await.expect("Redis starts");
    let yaml = format!(
        "cluster:\n  kafka:\n    connection: {{brokers: {:?}}}\n    partitions: {PARTITIONS}\n    \
         replication: 1\n    member: one\n  redis:\n    nodes: ['{}']\n    password: '{}'\n",
        kafka.addresses(),
        redis.address(),
        redis::PASSWORD
    );
    let central = central_with(&folder.path().join("central"), &yaml).await;
    let (central, _) = replay_under_kills(central, 1000, 2).await;
    assert_counted(&central, 1000).await;
    central.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_running_central_letters_are_looked_at_and_a_replay_is_taken_back() {
    let folder = tempfile::tempdir().expect("folder");
    let central = central(folder.path()).await;
    let config = central.config.file();
    let mut agent = Agent::of(&central).await;
    agent.send_all(&[misplaced(record(1, present(), 7))]).await;
    let id = letters(&config, &[], 1).await[0]["id"].as_str().expect("text").to_owned();
    let stopped = central.stop().await.expect("stops");
    let (table, _) = said(&deadletter(&config, &["list"]));
    assert!(table.contains("partition") && table.contains("web-1"), "{table}");
    assert!(deadletter(&config, &["show", &id, "--json"]).status.success());
    let replayed = deadletter(&config, &["replay", &id]);
    let (_, error) = said(&replayed);
    assert!(replayed.status.code() == Some(1) && error.contains("withdrawn"), "{error}");
    let central = stopped.start().await.expect("starts again");
    let replayed = deadletter(&config, &["replay", &id]);
    assert!(replayed.status.success(), "{:?}", said(&replayed));
    assert_counted(&central, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_reads_letters_over_http_page_by_page_and_nobody_else_does() {
    let folder = tempfile::tempdir().expect("folder");
    let central = central(folder.path()).await;
    let config = central.config.file();
    let mut agent = Agent::of(&central).await;
    let refused: Vec<_> = (1..=3).map(|number| misplaced(record(number, present(), number))).collect();
    agent.send_all(&refused).await;
    agent.send(vec![0xff; 40]).await;
    letters(&config, &[], 4).await;
    let ask = async |path: &str, token: Option<&str>| {
        let url = format!("{}/api/v1/dead-letters{path}", central.url());
        let mut ask = goldentime_testkit::http_client().get(url);
        if let Some(token) = token {
            ask = ask.bearer_auth(token);
        }
        let answer = ask.send().await.expect("answers");
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.expect("JSON"))
    };
    let (admin, viewer) = (api_token(&config, "admin"), api_token(&config, "viewer"));
    assert_eq!(ask("", Some(&viewer)).await.0, 403);
    assert!(matches!(ask("", None).await.0, 401 | 403));
    let (status, first) = ask("?limit=3", Some(&admin)).await;
    assert_eq!((status, first["letters"][0]["reason"].as_str()), (200, Some("protobuf")), "{first:#}");
    assert_eq!((&first["reasons"][0]["letters"], &first["letters"][1]["host"]), (&3.into(), &"web-1".into()));
    let next = first["next"].as_str().expect("more");
    let (_, last) = ask(&format!("?limit=3&before={next}"), Some(&admin)).await;
    assert_eq!(
        (last["letters"].as_array().map(Vec::len), last["next"].as_str()),
        (Some(1), None),
        "{last:#}"
    );
    let id = last["letters"][0]["id"].as_str().expect("text");
    let (_, shown) = ask(&format!("/{id}"), Some(&admin)).await;
    assert_eq!(shown["record"]["deltas"][0]["buckets"][0]["ok"], 1, "{shown:#}");
    let garbage = first["letters"][0]["id"].as_str().expect("text");
    let (_, shown) = ask(&format!("/{garbage}"), Some(&admin)).await;
    assert_eq!(shown["hex"], "ff".repeat(40), "{shown:#}");
    assert_eq!(ask("/no-such-letter", Some(&admin)).await.0, 404);
    assert_eq!(ask("?limit=0", Some(&admin)).await.0, 400);
}

#[test]
fn where_no_central_ever_ran_nothing_is_listed_and_nothing_made() {
    let folder = tempfile::tempdir().expect("folder");
    let config = folder.path().join("central.yaml");
    let state = folder.path().join("state");
    std::fs::write(&config, format!("state_dir: {}\n", state.display())).expect("written");
    let output = deadletter(&config, &["list"]);
    assert!(output.status.success() && said(&output).1.contains("no dead letters"), "{:?}", said(&output));
    assert!(!state.exists());
}
