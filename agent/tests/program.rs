//! The program itself: started, asked, killed and stopped, against a central on the real transport.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use common::{Central, State};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_goldentime-agent");

/// One agent's folder: configuration, log file, state.
struct Host {
    folder: PathBuf,
    lines: u64,
}

impl Host {
    fn new(folder: &Path, central: &Central) -> Self {
        let folder = folder.join("host");
        std::fs::create_dir_all(&folder).expect("made");
        let config = format!(
            "central:\n  address: {}\n  join_token: {}\nhost: web-1\nenvironment: prod\nstate_dir: {}\n\
             inputs:\n  tail:\n    - name: nginx\n      paths: ['{}']\n      service: storefront\n      \
             start_at: beginning\n      format:\n        type: nginx\n        log_format: '$remote_addr [$msec] \
             \"$request\" $status $body_bytes_sent $request_time'\n",
            central.address,
            central.token,
            folder.join("state").display(),
            folder.join("access.log").display(),
        );
        std::fs::write(folder.join("agent.yaml"), config).expect("written");
        Self { folder, lines: 0 }
    }

    fn start(&self) -> Child {
        let output = std::fs::File::create(self.folder.join("agent.out")).expect("made");
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--config"]).arg(self.folder.join("agent.yaml"));
        command.stderr(output).stdout(Stdio::null()).spawn().expect("starts")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--config").arg(self.folder.join("agent.yaml"));
        command.output().expect("runs")
    }

    /// As nginx writes them.
    fn write_lines(&mut self, count: u64) {
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("access.log"))
            .expect("opened");
        for line in self.lines..self.lines + count {
            let status = if line % 50 == 0 { 502 } else { 200 };
            writeln!(
                log,
                "10.0.0.1 [{}.{:03}] \"GET /orders/{line} HTTP/1.1\" {status} 512 0.0{}",
                now_s(),
                line % 1000,
                10 + line % 80
            )
            .expect("written");
        }
        self.lines += count;
    }

    async fn until(&self, central: &Central, what: &str, wanted: impl Fn(&State) -> bool) {
        let why = || {
            let status = self.ask(&["status"]);
            format!("{}\n{}", self.output(), String::from_utf8_lossy(&status.stdout))
        };
        central.until_or(what, wanted, why).await;
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.folder.join("agent.out")).unwrap_or_default()
    }
}

fn now_s() -> i64 {
    use goldentime_runtime::{Clock, SystemClock};
    SystemClock.now().second().0
}

fn stop(mut agent: Child) -> std::process::ExitStatus {
    let pid = Pid::from_child(&agent);
    kill_process(pid, Signal::TERM).expect("runs");
    agent.wait().expect("ends")
}

async fn status(host: &Host) -> serde_json::Value {
    let answer = async {
        loop {
            let asked = host.ask(&["status", "--json"]);
            if asked.status.success() {
                return serde_json::from_slice(&asked.stdout).expect("JSON");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answer)
        .await
        .unwrap_or_else(|_| panic!("{}", host.output()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_reads_ships_answers_and_leaves_with_a_goodbye() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let mut host = Host::new(folder.path(), &central);
    host.write_lines(1000);
    let checked = host.ask(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{text}");
    assert!(text.contains("default/prod/storefront GET /orders/{id}"), "{text}");
    assert!(!host.folder.join("state/spool.db").exists(), "a check has no side effects");

    let agent = host.start();
    host.until(&central, "a thousand requests", |state| state.requests == 1000).await;
    host.write_lines(500);
    host.until(&central, "five hundred more", |state| state.requests == 1500).await;

    // Inputs tell of themselves every half second.
    let report = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let report = status(&host).await;
            if report["inputs"][0]["status"]["lines"] == 1500 {
                return report;
            }
        }
    });
    let report = report.await.expect("all lines are told");
    assert_eq!(report["uplink"]["phase"], "connected", "{report:#}");
    assert_eq!(report["project"], "shop");
    let page = String::from_utf8(host.ask(&["status"]).stdout).expect("text");
    assert!(page.contains("1 file, 1500 lines") && page.contains("nothing dropped"), "{page}");
    assert!(page.contains("input host") && page.contains("readings, one every 1.0 s, the last"), "{page}");
    let metrics = String::from_utf8(host.ask(&["status", "--metrics"]).stdout).expect("text");
    assert!(metrics.contains("goldentime_agent_connected 1"), "{metrics}");

    let second = host.ask(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another agent (process"));

    assert!(stop(agent).success(), "{}", host.output());
    central.until_or("the goodbye", |state| state.goodbyes == 1, || host.output()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_killed_at_random_points_counts_every_line_once() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let mut host = Host::new(folder.path(), &central);
    host.write_lines(10);
    let mut agent = host.start();
    host.until(&central, "the first lines", |state| state.requests == 10).await;
    for _ in 0..12 {
        let kill_after = Duration::from_millis(random.random_range(0..700));
        let killed_at = tokio::time::Instant::now() + kill_after;
        while tokio::time::Instant::now() < killed_at {
            host.write_lines(random.random_range(1..200));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        agent.kill().expect("runs");
        agent.wait().expect("ends");
        if random.random_bool(0.3) {
            central.cut();
        }
        host.write_lines(random.random_range(0..500));
        agent = host.start();
    }
    let lines = host.lines;
    host.until(&central, "every line", |state| state.requests >= lines).await;
    host.write_lines(1);
    host.until(&central, "one more", |state| state.requests > lines).await;
    assert_eq!(central.state().requests, host.lines, "seed {seed}");
    assert!(stop(agent).success(), "{}", host.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_tells_what_is_wrong_or_what_waits_for_a_restart_and_the_agent_reads_on() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let mut host = Host::new(folder.path(), &central);
    host.write_lines(10);
    let agent = host.start();
    host.until(&central, "the first lines", |state| state.requests == 10).await;
    let file = host.folder.join("agent.yaml");
    let good = std::fs::read_to_string(&file).expect("written");
    let turns = [
        (good.clone(), "valid and as it was at the start"),
        (format!("{good}flush:\n  intervall: 1s\n"), "agent.yaml:17:3: flush.intervall: unknown key"),
        (good.replace("name: nginx", "name: other"), "inputs.tail[0].name"),
    ];
    for (text, told) in turns {
        std::fs::write(&file, text).expect("written");
        kill_process(Pid::from_child(&agent), Signal::HUP).expect("runs");
        let seen = async {
            while !host.output().contains(told) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        assert!(seen.is_ok(), "never told: {told}\n{}", host.output());
    }
    host.write_lines(5);
    host.until(&central, "five more lines", |state| state.requests == 15).await;
    assert!(stop(agent).success(), "{}", host.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_central_that_does_not_answer() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let host = Host::new(folder.path(), &central);
    // Takes what comes, and says nothing: as a firewall that drops, or a machine that hangs.
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let file = host.folder.join("agent.yaml");
    let text = std::fs::read_to_string(&file).expect("written");
    let silent_address = silent.local_addr().expect("bound").to_string();
    std::fs::write(&file, text.replace(&central.address.to_string(), &silent_address)).expect("written");
    let agent = host.start();
    let asked = tokio::time::timeout(Duration::from_secs(20), silent.recv_from(&mut [0; 2048])).await;
    assert!(asked.is_ok(), "the agent asks to be enrolled\n{}", host.output());
    assert!(stop(agent).success(), "{}", host.output());
    let output = host.output();
    assert!(output.contains("told to stop before the central has answered"), "{output}");
    assert!(!output.contains("not enrolled yet"), "the stop did not wait for the attempt to fail: {output}");
}

#[test]
fn a_wrong_configuration_ends_with_its_place_and_code_two() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("agent.yaml");
    std::fs::write(&file, "flush:\n  intervall: 1s\n").expect("written");
    let ended = Command::new(PROGRAM).args(["run", "--config"]).arg(&file).output().expect("runs");
    assert_eq!(ended.status.code(), Some(2));
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(text.contains("agent.yaml:2:3") && text.contains("interval"), "{text}");
}

#[test]
fn components_that_want_too_much_memory_are_told_in_a_table() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("agent.yaml");
    std::fs::write(&file, "memory_bytes_max: 16MiB\n").expect("written");
    let ended = Command::new(PROGRAM).args(["run", "--config"]).arg(&file).output().expect("runs");
    assert_eq!(ended.status.code(), Some(2));
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(text.contains("memory_bytes_max") && text.contains("MiB  spool"), "{text}");
}
