//! The conformance suite of the ingest log, over the embedded backend.

use goldentime_central::ingest::log::conformance;
use goldentime_central::ingest::log::sqlite::SqliteLog;

/// Small enough that the suite meets several segments.
const SEGMENT_BYTES: u64 = 1024;

macro_rules! conforms {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().expect("temporary folder");
            conformance::$name(async || {
                SqliteLog::open(folder.path(), SEGMENT_BYTES).await.expect("opens")
            })
            .await;
        }
    )*};
}

conforms!(what_was_appended_is_read_back, a_gap_is_refused_whole, truncation_keeps_the_newest);
