//! The published schema of the indicator grammar is the one that the types have.

use std::path::Path;

use goldentime_model::indicator::json_schema;

/// Rewrites the file instead of comparing, when set.
const UPDATE: &str = "GOLDENTIME_UPDATE_DOCS";

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/slo/indicator.schema.json");
    let generated = format!("{:#}\n", json_schema());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &generated).expect("docs/slo can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == generated,
        "docs/slo/indicator.schema.json is out of date: run this test with {UPDATE}=1 and commit the file"
    );
}
