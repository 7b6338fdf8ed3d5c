//! Text as `agent.yaml`: it is read, or every fault is told with its place.
#![no_main]

use std::path::Path;

use goldentime_agent::config::Config;
use goldentime_model::config::{Check, Settings, decode, load, yaml};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let source = load::source(Path::new("agent.yaml"), text.to_owned());
    let faults = match yaml::parse(&source) {
        Err(faults) => faults,
        Ok(node) => match decode::<Config>(&node) {
            Err(faults) => faults,
            Ok(config) => {
                let mut check = Check::new();
                config.validate(&mut check);
                check.into_faults(&node)
            }
        },
    };
    let _ = faults.to_string();
});
