//! The published schema of the indicator grammar is the one that the types have.

use std::path::Path;

use goldentime_model::indicator::json_schema;
use goldentime_testkit::generated::assert_current;

#[test]
fn generated_schema_of_the_indicator_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/slo/indicator.schema.json");
    assert_current(&path, &format!("{:#}\n", json_schema()));
}
