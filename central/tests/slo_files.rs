//! SLO files as people write them: our own examples, and OpenSLO's.

use std::path::{Path, PathBuf};

use goldentime_central::evaluate::openslo::{RuleSet, report};
use goldentime_model::config::load::yaml_files;

/// A folder with OpenSLO's own examples; the test over them is skipped when it is unset.
const EXAMPLES: &str = "GOLDENTIME_OPENSLO_EXAMPLES";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/slo")
}

#[test]
fn every_example_in_the_documentation_loads_and_judges_something() {
    let files = yaml_files(&docs()).expect("docs/slo can be read");
    assert!(files.len() >= 12, "a dozen examples at least");
    for file in files {
        let set = RuleSet::load(&file).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(!set.rules.is_empty() && set.warnings.is_empty(), "{}: {:?}", file.display(), set.warnings);
    }
}

#[test]
fn the_examples_load_together() {
    let set = RuleSet::load_dir(&docs()).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(set.rules.len() >= 16);
    assert_eq!(set.targets.len(), 1);
    let report = report::check(&docs());
    assert!(report.valid && report.text.ends_with("0 warnings\n"), "{}", report.text);
}

#[test]
fn the_unit_tests_of_the_examples_pass() {
    let files = yaml_files(&docs().join("tests")).expect("docs/slo/tests can be read");
    assert!(!files.is_empty());
    for file in files {
        let outcome = goldentime_central::rehearse::cases::run(&file);
        assert!(outcome.valid && outcome.failed == 0, "{}", outcome.text);
    }
}

#[test]
fn the_demos_rules_load() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/slo");
    let set = RuleSet::load_dir(&dir).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(!set.rules.is_empty() && set.warnings.is_empty(), "{:?}", set.warnings);
}

#[test]
fn a_report_of_a_bad_file_quotes_the_line() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bad.yaml");
    std::fs::write(&path, "apiVersion: openslo/v1\nkind: Service\nmetadata:\n  nam: a\nspec: {}\n")
        .expect("written");
    let report = report::check(&path);
    assert!(!report.valid);
    let text = report.text.replace(&path.display().to_string(), "bad.yaml");
    assert_eq!(
        text,
        "bad.yaml:4:3: metadata.nam: unknown key `nam`; did you mean `name`?\n  4 |   nam: a\n    |   ^\n\
         \n1 fault; nothing would be loaded\n"
    );
}

#[test]
fn openslos_own_examples_load_or_are_refused_for_a_foreign_source() {
    let Some(dir) = std::env::var_os(EXAMPLES) else {
        eprintln!("skipped: {EXAMPLES} is unset");
        return;
    };
    let files = yaml_files(Path::new(&dir)).expect("the folder can be read");
    assert!(!files.is_empty(), "{EXAMPLES} names a folder with examples");
    for file in files {
        let Err(faults) = RuleSet::load(&file) else { continue };
        // Blocks of the README are schemas in prose, so that much may be wrong with them.
        let schema = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("readme-"));
        for fault in faults.0 {
            assert!(fault.place.as_ref().is_some_and(|place| place.line > 0), "{fault}");
            assert!(schema || fault.message.contains("is a foreign data source"), "{fault}");
        }
    }
}
