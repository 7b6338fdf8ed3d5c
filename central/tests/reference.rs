//! The published reference of `central.yaml` is the one that the types have.

use std::path::Path;

use goldentime_central::config::reference;
use goldentime_testkit::generated::assert_current;

#[test]
fn generated_reference_of_the_configuration_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration-central.md");
    assert_current(&path, &reference());
}
