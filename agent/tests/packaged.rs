//! `agent.yaml` as it is installed.

use std::path::{Path, PathBuf};

use goldentime_agent::config::Config;
use goldentime_agent::memory;
use goldentime_testkit::examples::uncommented;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/config/agent.yaml")
}

#[test]
fn the_shipped_configuration_is_valid_as_installed_and_reads_the_host() {
    let config = Config::load(&shipped()).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(config.inputs.host.enabled && config.inputs.tail.is_empty());
    memory::bounds(&config).unwrap_or_else(|too_much| panic!("{too_much}"));
}

#[test]
fn every_example_in_the_shipped_configuration_is_valid() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("agent.yaml");
    let text = std::fs::read_to_string(shipped()).expect("readable");
    std::fs::write(&file, uncommented(&text)).expect("written");
    let config = Config::load(&file).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.inputs.tail.len(), 2, "the examples are taken in");
    memory::bounds(&config).unwrap_or_else(|too_much| panic!("{too_much}"));
}

#[test]
fn the_examples_show_the_defaults() {
    let text = std::fs::read_to_string(shipped()).expect("readable");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("agent.yaml");
    std::fs::write(&file, uncommented(&text)).expect("written");
    let (config, default) =
        (Config::load(&file).unwrap_or_else(|faults| panic!("{faults}")), Config::default());
    assert_eq!((config.spool, config.flush), (default.spool, default.flush));
    assert_eq!((config.memory_bytes_max, config.logging), (default.memory_bytes_max, default.logging));
    assert_eq!(config.central.addresses(), default.central.addresses());
}
