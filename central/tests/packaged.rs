//! `central.yaml` as it is installed.

use std::path::{Path, PathBuf};

use goldentime_central::config::Config;
use goldentime_model::config::{LoadOptions, load};
use goldentime_testkit::examples::uncommented;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/config/central.yaml")
}

fn read(file: &Path) -> Config {
    load(&LoadOptions::new("central", file)).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_shipped_configuration_says_every_default() {
    let written = |config: &Config| serde_json::to_value(config).expect("plain settings");
    assert_eq!(written(&read(&shipped())), written(&Config::default()));
}

#[test]
fn every_example_in_the_shipped_configuration_is_valid() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("central.yaml");
    let text = std::fs::read_to_string(shipped()).expect("readable");
    // The secrets that the examples name are not on the machine that runs the tests.
    let text = uncommented(&text)
        .replace("{file: /etc/goldentime/hook}", "a-signing-secret")
        .replace("{env: SLACK_WEBHOOK_URL}", "https://hooks.slack.com/services/T0/B0/x");
    std::fs::write(&file, text).expect("written");
    let config = read(&file);
    assert_eq!(config.notify.channels.len(), 3, "the examples are taken in");
    assert_eq!(config.notify.external_url.as_deref(), Some("https://goldentime.example.com"));
}
