//! Dead letters of a cluster: whoever refused them, they are in one place, which every central shows.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use goldentime_kafka::{Outgoing, Producer, ProducerHandle};
use goldentime_log::kafka::{DeadLetterTopic, KafkaLogConfig, Letter, LetterKind, Topic};
use goldentime_model::UnixNanos;
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_testkit::engines::{Engines, PARTITIONS as SHARED};
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::wait;
use goldentime_wire::proto::Record;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::world::{
    Agent, PARTITIONS, SOON, api_token, assert_counted, deadletter, letters, listed, misplaced, present,
    record, replaying, said, service,
};

/// One cluster at a time: each is several servers.
pub(crate) static ALONE: Mutex<()> = Mutex::const_new(());

/// Two centrals and what they share.
struct Cluster {
    engines: Engines,
    folder: tempfile::TempDir,
    log: KafkaLogConfig,
    producer: ProducerHandle,
}

impl Cluster {
    async fn start() -> Self {
        assert_eq!(SHARED, PARTITIONS, "records are made for as many partitions");
        let folder = tempfile::tempdir().expect("folder");
        let engines = Engines::start(folder.path(), 1).await.expect("starts");
        let mut log = KafkaLogConfig { partitions: SHARED, replication: 1, ..KafkaLogConfig::default() };
        log.connection.brokers = engines.kafka.addresses();
        let (producer, handle) = Producer::new(&log.connection, log.producer_limits());
        Tasks::new().spawn(TaskKind::Station, "producer", producer.run());
        Self { engines, folder, log, producer: handle }
    }

    fn config(&self, member: &str, yaml: &str) -> CentralConfig {
        let mut config = CentralConfig::new(&self.folder.path().join(member), None).expect("configured");
        config.extra_yaml.push_str("series:\n  fold_for: 100ms\n");
        self.engines.give_to(&mut config, member).expect("configured");
        config.extra_yaml.push_str(yaml);
        config
    }

    async fn central(&self, member: &str, yaml: &str) -> Central {
        self.config(member, yaml).start().await.expect("starts")
    }

    /// Somebody else's record for the raw topic.
    async fn produce(&self, key: &'static str, payload: &'static str) {
        let record = Outgoing {
            topic: Topic::Raw.name(&self.log),
            partition: 0,
            key: Bytes::from_static(key.as_bytes()),
            headers: Vec::new(),
            payload: Bytes::from_static(payload.as_bytes()),
        };
        self.producer.send(record).await.expect("given in").await.expect("kept");
    }
}

/// A raw topic of which only what has this key is read.
fn raw(key: &str) -> String {
    format!(
        "  raw:\n    inputs:\n    - {{name: all, match: {{key: {key}}}, project: shop, environment: prod, \
         service: order-api,\n       line_field: log, format: {{type: regex, \
         pattern: '^(?P<method>[A-Z]+) (?P<path>/[^ ]*) (?P<status>[0-9]+)$'}}}}\n"
    )
}

fn reasons(letters: &[Value]) -> Vec<&str> {
    let mut reasons: Vec<_> = letters.iter().map(|letter| letter["reason"].as_str().expect("text")).collect();
    reasons.sort_unstable();
    reasons
}

/// What the API lists.
async fn over_http(central: &Central, token: &str) -> Value {
    let url = format!("{}/api/v1/dead-letters", central.url());
    let answer = goldentime_testkit::http_client().get(url).bearer_auth(token).send().await.expect("answers");
    answer.json().await.expect("JSON")
}

/// The same of another stream.
fn of_stream(stream: u8, record: Record) -> Record {
    Record { stream: vec![stream; 16].into(), ..record }
}

fn succeeds(config: &Path, args: &[&str]) -> String {
    let output = deadletter(config, args);
    let (told, error) = said(&output);
    assert!(output.status.success(), "{told}{error}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_all_centrals_are_listed_once_on_each_and_replayed_once_from_any() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let one = cluster.central("one", &raw("mended")).await;
    let two = cluster.central("two", &raw("mended")).await;
    let now = present();
    let lost = misplaced(record(2, now - 100, 30));
    let mut agent = Agent::of(&one).await;
    // What was not acknowledged is sent again.
    agent.send_all(&[record(1, now, 1), lost.clone(), lost, record(3, now, 1)]).await;
    let mut other = Agent::of(&two).await;
    other.send_all(&[of_stream(8, misplaced(record(1, now - 50, 400)))]).await;
    other.send(vec![0xff; 40]).await;
    for line in [r#"{"log":"GET /orders/7 200"}"#, r#"{"log":"GET /orders/8 503"}"#, "plain"] {
        cluster.produce("odd", line).await;
    }
    let (first, second) = (one.config.file(), two.config.file());
    let expected = ["partition", "partition", "protobuf", "raw_no_input", "raw_no_input", "raw_no_input"];
    let found = letters(&first, &[], expected.len()).await;
    assert_eq!(reasons(&found), expected);
    assert_eq!(listed(&second, &[]), found);
    let token = api_token(&second, "admin");
    for central in [&one, &two] {
        let page = over_http(central, &token).await;
        assert_eq!(page["letters"].as_array(), Some(&found), "{page:#}");
        assert_eq!(page["reasons"][0]["letters"], 3);
    }
    let of_agent = |id: &str| listed(&second, &["--agent", id]);
    let twice = &of_agent(&agent.id)[0];
    assert_eq!(
        (&twice["times"], twice["service"].as_str()),
        (&2.into(), Some(service().as_str())),
        "{twice:#}"
    );
    assert!(twice["last_at_ms"].as_i64() >= twice["at_ms"].as_i64());
    let odd = found.iter().find(|letter| letter["kind"] == "raw").expect("one");
    assert!(odd["source"].as_str().expect("text").starts_with("goldentime.raw/0@"), "{odd:#}");
    let (shown, _) = said(&deadletter(&first, &["show", odd["id"].as_str().expect("text")]));
    assert!(shown.contains("plain") && shown.contains("raw_no_input: no input"), "{shown}");

    let told = succeeds(&second, &["replay", "--reason", "partition"]);
    assert!(told.contains("given back: 2, refused again: 0"), "{told}");
    for central in [&one, &two] {
        assert_counted(central, 432).await;
    }
    // Nobody mended anything yet: they stay, with what it says now.
    assert_eq!(deadletter(&first, &["replay", "--reason", "raw_no_input"]).status.code(), Some(1));
    assert_eq!(listed(&second, &[]).len(), 4);
    let mut mended = Vec::new();
    for central in [one, two] {
        let mut config = central.stop().await.expect("stops");
        config.extra_yaml = config.extra_yaml.replace("mended", "odd");
        mended.push(config.start().await.expect("starts again"));
    }
    let replayed = deadletter(&first, &["replay", "--reason", "raw_no_input"]);
    assert!(said(&replayed).0.contains("given back: 2, refused again: 1"), "{:?}", said(&replayed));
    for central in &mended {
        assert_counted(central, 434).await;
    }
    assert_eq!(reasons(&listed(&second, &[])), ["protobuf", "raw_not_json"]);
    assert_eq!(listed(&second, &["--replayed"]).len(), expected.len());
    assert!(
        succeeds(&first, &["replay", "--since", "1h", "--reason", "partition"]).contains("nothing to replay")
    );
    for central in mended {
        central.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_letters_wait_in_their_topic_and_come_once() {
    let _alone = ALONE.lock().await;
    let mut cluster = Cluster::start().await;
    let mut gateway = cluster.config("gateway", "");
    gateway.serve_arguments = vec!["--roles".into(), "gateway".into()];
    let gateway = gateway.start().await.expect("starts");
    let mut owner = cluster.config("owner", "");
    owner.serve_arguments = vec!["--roles".into(), "process,notify,api".into()];
    let mut owner = owner.start().await.expect("starts");
    let config = gateway.config.file();
    let mut agent = Agent::of(&gateway).await;
    let now = present();
    let odd = |number: u64| misplaced(record(number, now, 1));
    agent.send_all(&[odd(1)]).await;
    letters(&config, &[], 1).await;
    cluster.engines.postgres.kill9();
    // What is acknowledged is in the topic.
    agent.send_all(&(2..=200).map(odd).collect::<Vec<_>>()).await;
    assert!(!deadletter(&config, &["list"]).status.success());
    // Whoever was to write them is killed too, before it could.
    owner.crash();
    agent.send_all(&(201..=300).map(odd).collect::<Vec<_>>()).await;
    cluster.engines.postgres.restart().await.expect("starts again");
    owner.revive().await.expect("starts again");
    let found = letters(&config, &[], 300).await;
    assert!(found.iter().all(|letter| letter["times"] == 1), "{found:#?}");
    let metrics = gateway.text("/metrics").await.expect("answers");
    assert!(!metrics.contains("goldentime_dead_letters_not_kept_total"), "{metrics}");
    assert!(succeeds(&config, &["replay", "--all"]).contains("given back: 300"));
    assert_counted(&owner, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_letters_is_killed_in_the_midst_of_it_and_none_is_there_twice() {
    const KILLS: u64 = 6;
    const EACH: u64 = 1500;
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let mut centrals = [cluster.central("one", "").await, cluster.central("two", "").await];
    let config = centrals[0].config.file();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let topic = DeadLetterTopic::new(&cluster.log, cluster.producer.clone());
    let kept = || listed(&config, &["--summary"]).first().map_or(0, count);
    for kill in 0..KILLS {
        let before = kept();
        for number in kill * EACH..(kill + 1) * EACH {
            let record = Bytes::from(vec![(number % 251) as u8; 1 + (number / 251) as usize]);
            let at = UnixNanos::from_millis(present() * 1000);
            let letter = Letter::bare(at, LetterKind::Record, "name", record);
            // What waits for the broker is bounded by the producer.
            drop(topic.add(letter).await.expect("given in"));
        }
        let moved = || async { Some(kept()).filter(|now| *now > before) };
        let now = wait::until("letters to be kept", SOON, moved).await.expect("in time");
        println!("kill {kill} at {now} of {} letters", (kill + 1) * EACH);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        let central = &mut centrals[usize::from(kill % 2 == 1)];
        central.crash();
        central.revive().await.expect("starts again");
    }
    let all = || async { (kept() >= KILLS * EACH).then_some(()) };
    wait::until("all letters", SOON, all).await.expect("in time");
    let output = deadletter(&config, &["list", "--json", "--limit", "10000"]);
    let found: Vec<Value> =
        said(&output).0.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found.len() as u64, KILLS * EACH, "seed {seed}");
    assert!(found.iter().all(|letter| letter["times"] == 1), "seed {seed}");
}

fn count(summary: &Value) -> u64 {
    summary["letters"].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_in_a_cluster_whose_centrals_are_killed_counts_each_letter_once() {
    const LETTERS: u64 = 1500;
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let mut centrals = [cluster.central("one", "").await, cluster.central("two", "").await];
    let config = centrals[0].config.file();
    let mut agent = Agent::of(&centrals[0]).await;
    let now = present();
    let records: Vec<_> = (1..=LETTERS)
        .map(|number| misplaced(record(number, now - i64::try_from(number % 60).expect("small"), 1)))
        .collect();
    agent.send_all(&records).await;
    letters(&config, &[], 1500).await;
    let mut kills = 0;
    while kills < 4 {
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
        // Whose turn it is is killed within two rounds; its place is taken, or it comes back.
        let central = &mut centrals[kills % 2];
        central.crash();
        central.revive().await.expect("starts again");
        kills += 1;
    }
    println!("killed {kills} times");
    assert!(kills > 0, "never killed in the midst of it");
    succeeds(&config, &["replay", "--all"]);
    assert!(listed(&config, &[]).is_empty());
    for central in &centrals {
        assert_counted(central, LETTERS).await;
    }
}
