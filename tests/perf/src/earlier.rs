//! Figures of earlier benchmarks, where one builds on another.

use std::fs;

use serde_json::Value;

use crate::report::target_folder;

/// A figure that an earlier run of another benchmark left, if it did.
#[must_use]
pub fn read_figure(bench: &str, figure: &str) -> Option<f64> {
    let path = target_folder().join("bench").join(format!("{bench}.json"));
    let report: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    report["figures"][figure].as_f64()
}
