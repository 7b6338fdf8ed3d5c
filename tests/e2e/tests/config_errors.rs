//! A wrong configuration: exit code 2, and a message that says where and what would be right.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use goldentime_e2e::rules;
use goldentime_testkit::programs::program;

/// A file that is wrong, and what must be said of it.
struct Wrong {
    text: &'static str,
    /// Behind the file's name.
    place: &'static str,
    says: &'static str,
}

const fn wrong(text: &'static str, place: &'static str, says: &'static str) -> Wrong {
    Wrong { text, place, says }
}

/// Runs the program on the file with each text in turn.
fn refused(program_name: &str, before: &[&str], file_name: &str, cases: &[Wrong]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(file_name);
    for case in cases {
        std::fs::write(&file, case.text)?;
        expect(program_name, before, &file, case)?;
    }
    Ok(())
}

fn expect(program_name: &str, before: &[&str], file: &Path, case: &Wrong) -> Result<()> {
    let output = Command::new(program(program_name)?).args(before).arg(file).output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let name = file.file_name().and_then(|name| name.to_str()).context("name")?;
    assert_eq!(output.status.code(), Some(2), "{program_name} on {:?}:\n{said}", case.text);
    let place = format!("{name}:{}", case.place);
    assert!(said.contains(&place), "{place:?} is not in what it says of {:?}:\n{said}", case.text);
    assert!(said.contains(case.says), "{:?} is not in what it says of {:?}:\n{said}", case.says, case.text);
    Ok(())
}

#[test]
fn a_wrong_agent_yaml_is_refused_with_place_and_nearest_key() -> Result<()> {
    let cases = [
        wrong("centrl: {}\n", "1:1: ", "did you mean `central`"),
        wrong("central:\n  adress: a:1\n", "2:3: ", "did you mean `address`"),
        wrong("central:\n  address: a\n", "2:12: ", "host:port"),
        wrong("flush:\n  interval: soon\n", "2:13: ", "soon"),
        wrong("flush:\n  interval: 1ms\n", "2:13: ", "between 100ms and 10s"),
        wrong("spool: {bytes_max: 1 GiBB}\n", "1:20: ", "GiBB"),
        wrong("state_dir: here\n", "1:12: ", "absolute"),
        wrong("environment: a/b\n", "1:14: ", "/"),
        wrong("inputs:\n  tail: 3\n", "2:9: ", "inputs.tail"),
        wrong("inputs:\n  tail:\n    - paths: [/a]\n", "3:7: ", "format"),
        wrong("inputs:\n  tail:\n    - {paths: [/a], format: {type: ngnix}}\n", "3:", "did you mean `nginx`"),
        wrong("inputs: [\n", "", "agent.yaml"),
        wrong("inputs:\n  host: {interval: 1ms}\n", "2:20: ", "at least 100ms"),
        wrong("limits:\n  buckets_max: 1\n", "2:16: ", "at least 64"),
        wrong("routes:\n  patterns: [users]\n", "2:14: ", "does not begin with `/`"),
        wrong("logging:\n  level: a=b=c\n", "2:10: ", "write `info`"),
        wrong("host: a\nhost: b\n", "2:1: ", "host"),
    ];
    for command in ["run", "check"] {
        refused("goldentime-agent", &[command, "--config"], "agent.yaml", &cases)?;
    }
    Ok(())
}

#[test]
fn a_wrong_central_yaml_is_refused_with_place_and_nearest_key() -> Result<()> {
    let cases = [
        wrong("htp: {}\n", "1:1: ", "did you mean `http`"),
        wrong("http:\n  lisen: 127.0.0.1:1\n", "2:3: ", "did you mean `listen`"),
        wrong("http:\n  listen: 0.0.0.0:7700\n", "2:11: ", "loopback"),
        wrong("http:\n  listen: nowhere\n", "2:11: ", "nowhere"),
        wrong("http:\n  listen: 127.0.0.1\n", "2:11: ", "has no port; write for example `127.0.0.1:7700`"),
        wrong("agents:\n  names: [a b]\n", "2:10: ", "neither a host name nor an IP address"),
        wrong("partitions: 0\n", "1:13: ", "between 1 and 256"),
        wrong("partitions: four\n", "1:13: ", "four"),
        wrong("agents:\n  lease: 1s\n", "2:10: ", "between 5s and 10m"),
        wrong("log:\n  segment_bytes: 1KiB\n", "2:18: ", "1MiB"),
        wrong("notify:\n  channels:\n    - {name: a}\n", "3:7: ", "webhook"),
        wrong("notify:\n  channels:\n    - {name: a, webhok: {}}\n", "3:17: ", "did you mean `webhook`"),
        wrong("logging: {format: xml}\n", "1:19: ", "json"),
        wrong("logging: {level: a=b=c}\n", "1:18: ", "write `info`"),
        wrong("memory_bytes_max: 1MiB\n", "1:19: ", "64MiB"),
        wrong("memory_bytes_max: 100MiB\n", "1:19: ", "GiB together, more than 100MiB"),
        wrong(
            "notify:\n  channels:\n    - {name: a, webhook: {url: 'https://x/y', ca_file: /no.pem}}\n",
            "3:",
            "cannot read /no.pem",
        ),
        wrong("state_dir: [a]\n", "1:12: ", "state_dir"),
    ];
    for command in [&["serve", "--config"][..], &["token", "create", "--config"]] {
        refused("goldentime-central", command, "central.yaml", &cases)?;
    }
    Ok(())
}

#[test]
fn a_wrong_slo_file_is_refused_with_place_and_nearest_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let right = rules::text("errors", "api", 0.1, None);
    let cases = [
        ("kind: SLO", "kind: SLOO", "2:7: ", "did you mean `SLO`"),
        ("  service: api", "  servic: api", "6:3: ", "did you mean `service`"),
        ("signal: errors", "signal: error", "12:", "did you mean `errors`"),
        ("target: 0.9", "target: 90", "16:25: ", "target"),
        ("lookbackWindow: 5s", "lookbackWindow: 5", "28:", "lookbackWindow"),
        ("lookbackWindow: 5s", "lookbackWindow: 2h", "28:", "15"),
        ("threshold: 1,", "threshold: 100,", "28:", "can never be"),
        ("type: goldentime", "type: Prometheus", "12:", "foreign data source"),
    ];
    for (from, to, place, says) in cases {
        let file = folder.path().join("errors.yaml");
        std::fs::write(&file, right.replacen(from, to, 1))?;
        let case = Wrong { text: to, place, says };
        expect("goldentime-central", &["rules", "check"], &file, &case)?;
    }
    Ok(())
}
