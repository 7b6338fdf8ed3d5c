//! `goldentime-agent check`: what `run` would stumble over is told before it does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use goldentime_transport::token::{CertificateHash, JoinToken};

const PROGRAM: &str = env!("CARGO_BIN_EXE_goldentime-agent");

/// A host with a configuration whose every part is in order.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().expect("folder") };
        let token = JoinToken::generate(CertificateHash::of(b"authority")).expect("random");
        host.write_token(&token.to_string(), 0o600);
        host.write_config("");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_token(&self, text: &str, mode: u32) {
        write(&self.path("join-token"), text);
        std::fs::set_permissions(self.path("join-token"), std::fs::Permissions::from_mode(mode))
            .expect("set");
    }

    fn write_config(&self, more: &str) {
        let text = format!(
            "central:\n  address: 127.0.0.1:7701\n  join_token_file: {}\nhost: web-1\nstate_dir: {}\n{more}",
            self.path("join-token").display(),
            self.path("state").display(),
        );
        write(&self.path("agent.yaml"), &text);
    }

    /// The exit code and what was printed.
    fn check(&self) -> (Option<i32>, String) {
        let mut command = Command::new(PROGRAM);
        let ended = command.args(["check", "--config"]).arg(self.path("agent.yaml")).output().expect("runs");
        (ended.status.code(), String::from_utf8(ended.stdout).expect("text"))
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}

#[test]
fn what_a_start_needs_is_in_order_and_nothing_is_made() {
    let host = Host::new();
    let (code, text) = host.check();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("will be enrolled with the join token"), "{text}");
    assert!(text.contains("system.memory.utilization"), "the host's readings are named: {text}");
    assert!(!host.path("state").exists());
}

#[test]
fn a_join_token_that_run_would_refuse_is_told_at_its_place() {
    let host = Host::new();
    let place = format!("{}:3:20: central.join_token_file: ", host.path("agent.yaml").display());
    let refused = |told: &str| {
        let (code, text) = host.check();
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(&format!("PROBLEM: {place}")) && text.contains(told), "{text}");
    };
    host.write_token("gt1.not-a-fingerprint.0", 0o600);
    refused("the join token's fingerprint is not 64 hexadecimal digits");
    host.write_token("hello", 0o600);
    refused("a join token has the form");
    host.write_token("\n", 0o600);
    refused("empty");
    host.write_token("hello", 0o644);
    refused("chmod 600");
    std::fs::remove_file(host.path("join-token")).expect("removed");
    refused("goldentime-central token create");
}

#[test]
fn a_host_without_a_token_is_told_to_name_one() {
    let host = Host::new();
    write(&host.path("agent.yaml"), &format!("state_dir: {}\n", host.path("state").display()));
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("PROBLEM: ") && text.contains("central.join_token_file"), "{text}");
}

#[test]
fn a_state_directory_that_run_cannot_use_is_told_at_its_place() {
    let host = Host::new();
    let place = format!("PROBLEM: {}:5:12: state_dir: ", host.path("agent.yaml").display());
    write(&host.path("state"), "a file");
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains(&place) && text.contains("not a folder"), "{text}");

    std::fs::remove_file(host.path("state")).expect("removed");
    std::fs::create_dir(host.path("state")).expect("made");
    write(&host.path("state/identity.json"), "{}");
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains(&place) && text.contains("enrol the agent anew"), "{text}");

    std::fs::remove_file(host.path("state/identity.json")).expect("removed");
    write(&host.path("state/spool.db"), "no database");
    let (code, text) = host.check();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("advice: the spool") && text.contains("is damaged"), "{text}");
}

#[test]
fn records_are_shown_as_they_would_be_shipped() {
    let host = Host::new();
    let log = host.path("app.log");
    host.write_config(&format!(
        "inputs:\n  tail:\n    - paths: ['{}']\n      ship_logs: true\n      multiline_start: '^[0-9]'\n      format: \
         {{type: regex, pattern: '^[0-9]+ (?<level>[A-Z]+) (?<message>(?s:.*))'}}\n",
        log.display()
    ));
    write(&log, "1 ERROR call 010-1234-5678\n  at main\n2 INFO fine\n");
    let (code, text) = host.check();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the last 2 records of"), "{text}");
    assert!(text.contains("record: error: call [redacted:phone]\\n  at main"), "{text}");
    assert!(text.contains("record: info: fine"), "{text}");
}

#[test]
fn a_log_format_that_ends_before_the_lines_do_is_told() {
    let host = Host::new();
    let log = host.path("access.log");
    host.write_config(&format!(
        "inputs:\n  tail:\n    - paths: ['{}']\n      format: {{type: nginx, log_format: '$msec \"$request\" $status \
         $request_time'}}\n",
        log.display()
    ));
    write(&log, "1795362004.123 \"GET / HTTP/1.1\" 200 0.012 \"-\" \"curl\"\n");
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("NO READABLE DURATION") && text.contains("(1 request)"), "{text}");
    assert!(text.contains("inputs.tail[0].format: the duration of 1 of them is no number"), "{text}");
}

#[test]
fn lines_whose_time_cannot_be_read_are_told_and_counted() {
    let host = Host::new();
    let log = host.path("access.log");
    host.write_config(&format!(
        "inputs:\n  tail:\n    - paths: ['{}']\n      format: {{type: json}}\n",
        log.display()
    ));
    write(&log, "{\"time\":\"noon\",\"path\":\"/cart\",\"status\":200}\n");
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("NO READABLE TIME") && text.contains("/cart (1 request)"), "{text}");
    assert!(text.contains("inputs.tail[0].format: the time of 1 of them is of no known form"), "{text}");
}

#[test]
fn an_input_of_another_format_or_of_a_folder_that_is_not_there_is_told() {
    let host = Host::new();
    let log = host.path("access.log");
    host.write_config(&format!(
        "inputs:\n  tail:\n    - paths: ['{}']\n      format: {{type: combined}}\n    - paths: ['{}']\n      \
         format: {{type: plain}}\n",
        log.display(),
        host.path("missing/*.log").display()
    ));
    write(&log, "not what nginx writes\n");
    let (code, text) = host.check();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("agent.yaml:9:15: inputs.tail[0].format: not one of the last lines"), "{text}");
    assert!(text.contains(&format!("the folder {} is not there", host.path("missing").display())), "{text}");
    assert!(text.contains("set `ship_logs: true`, or nothing is shipped"), "{text}");
}
