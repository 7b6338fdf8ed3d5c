//! Searches of the embedded backend beside a plain look at every line, over random texts.

mod scan;

use std::time::Duration;

use goldentime_search::{LogStore, SqliteLogs};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_a_look_at_every_line_finds(
        batches in scan::batches(),
        asked in prop::collection::vec(scan::a_question(), 20),
        segment_bytes in prop::sample::select(vec![0_u64, 1 << 30]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a folder");
            let year = Duration::from_secs(365 * 86_400);
            let store = SqliteLogs::with_limits(dir.path().to_owned(), segment_bytes, year);
            let checked = scan::check(&store, &batches, &asked, 9).await;
            store.close().await;
            checked
        })?;
    }
}
