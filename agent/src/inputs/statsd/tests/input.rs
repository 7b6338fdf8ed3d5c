//! The input on real sockets.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::units::ByteSize;
use goldentime_runtime::{SystemClock, Tasks};

use super::source;
use crate::aggregate::{Aggregator, Config as Limits, PositionKey, Positions, ShardHandle};
use crate::inputs::route::Config as RouteConfig;
use crate::inputs::statsd::config::Unix;
use crate::inputs::statsd::{Config, Error, Statsd, StatsdHandle};

const WITHIN: Duration = Duration::from_secs(20);

struct Running {
    tasks: Tasks,
    handle: StatsdHandle,
    shard: ShardHandle,
}

fn config() -> Config {
    Config { enabled: true, udp: vec!["127.0.0.1:0".into()], ..Config::default() }
}

fn start(config: &Config, positions: &Positions) -> Running {
    let statsd = Statsd::listen(config, &RouteConfig::default(), source()).expect("listens");
    let shard = Aggregator::new(Limits::default(), Arc::new(SystemClock)).open_shard("statsd");
    let tasks = Tasks::new();
    let handle = statsd.start(&tasks, Arc::new(SystemClock), shard.clone(), positions);
    Running { tasks, handle, shard }
}

impl Running {
    /// The address of the first socket, once it is known.
    async fn address(&self) -> String {
        let found = async {
            loop {
                let status = self.handle.status();
                if let Some(address) = status.listeners.first().and_then(|l| l.address.strip_prefix("udp ")) {
                    return address.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(WITHIN, found).await.expect("started")
    }

    /// Ends it, and gives the requests that it counted.
    async fn stop(self) -> (u64, crate::aggregate::Batch) {
        self.tasks.drain(WITHIN).await;
        let batch = self.shard.drain();
        let series = batch.services.iter().flat_map(|service| &service.series);
        let requests = series.flat_map(|series| &series.buckets).map(|bucket| bucket.counts.total()).sum();
        (requests, batch)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_stop_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("dsd.sock");
    let unix = Unix { path: path.display().to_string(), mode: "0722".into(), owner: None, group: None };
    let running = start(&Config { unix: Some(unix), ..config() }, &Positions::default());
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
    udp.connect(running.address().await).expect("connected");
    let unix = UnixDatagram::unbound().expect("made");
    unix.connect(&path).expect("connected");
    for _ in 0..200 {
        udp.send(b"http.time:5|ms|#endpoint:/udp\nhits:1|c").expect("sent");
        unix.send(b"http.time:5:6|ms|#endpoint:/unix").expect("sent");
    }
    let (requests, batch) = running.stop().await;
    assert_eq!(requests, 600);
    let samples = batch.services.iter().flat_map(|service| &service.samples);
    assert_eq!(samples.map(|sample| sample.value).sum::<f64>(), 200.0);
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_datagram_is_taken_up_to_its_last_whole_line() {
    let config = Config { packet_bytes_max: ByteSize::kib(1), ..config() };
    let running = start(&config, &Positions::default());
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let line = "http.time:5|ms|#endpoint:/a\n";
    udp.send_to(line.repeat(100).as_bytes(), running.address().await).expect("sent");
    let (requests, batch) = running.stop().await;
    assert_eq!(requests, 1024 / line.len() as u64);
    assert_eq!(batch.drops["statsd_packet_cut"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_did_not_end_by_itself_is_told_of() {
    let left = PositionKey { input: "statsd".into(), source: "life".into() };
    let running = start(&config(), &[(left, b"reading".to_vec())].into_iter().collect());
    let (_, batch) = running.stop().await;
    assert_eq!(batch.drops["statsd_flush_lost_by_kill"], 1);
    assert!(matches!(batch.positions[..], [(_, crate::aggregate::PositionUpdate::Forget)]));
}

#[test]
fn an_address_in_use_is_told_with_the_way_out() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let config = Config { udp: vec![taken.local_addr().expect("bound").to_string()], ..config() };
    let error = Statsd::listen(&config, &RouteConfig::default(), source()).err().expect("in use");
    assert!(error.to_string().contains("does another agent hold the port?"), "{error}");
    let nowhere = Config { udp: Vec::new(), ..config };
    let error = Statsd::listen(&nowhere, &RouteConfig::default(), source()).err().expect("nowhere");
    assert!(matches!(error, Error::Nowhere), "{error}");
}
