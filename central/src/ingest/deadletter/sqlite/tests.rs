//! The file of letters and its layouts.

use sqlx::sqlite::SqliteConnectOptions;

use super::*;

async fn all(letters: &SqliteLetters) -> Vec<Head> {
    let page = PageRequest { before: None, limit: 1000 };
    letters.list(Filter { with_replayed: true, ..Filter::default() }, page).await.expect("lists").letters
}

#[tokio::test]
async fn a_file_of_the_first_layout_keeps_its_letters_under_their_ids() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(FILE);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let old = SqlitePool::connect_with(options).await.expect("opens");
    let layout = "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, agent TEXT NOT NULL, \
        reason TEXT NOT NULL, detail TEXT NOT NULL, record BLOB NOT NULL); \
        INSERT INTO dead_letters VALUES (7, 1, 'a1', 'name', 'x', zeroblob(65536)), \
        (9, 2, 'web-1', 'log_store_rejected', 'y', '{}')";
    sqlx::raw_sql(layout).execute(&old).await.expect("made");
    let letters = SqliteLetters::open(&path).await.expect("brought up to date");
    let found = all(&letters).await;
    let ids: Vec<_> = found.iter().map(|head| head.id.0.as_str()).collect();
    assert_eq!(ids, ["9", "7"]);
    let line = (found[0].kind, found[0].agent.as_str(), found[0].host.as_str());
    assert_eq!(line, (Kind::Line, "", "web-1"));
    assert!(letters.read(LetterId("7".into())).await.expect("read").expect("kept").is_cut);
    // A central of the version before, which still runs, goes on writing.
    sqlx::query(
        "INSERT INTO dead_letters (at, agent, reason, detail, record) VALUES (3, 'a2', 'time', '', 'r')",
    )
    .execute(&old)
    .await
    .expect("written");
    assert_eq!(all(&letters).await[0].id.0, "10");
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&old).await.expect("written");
    let refused = SqliteLetters::open(&path).await.expect_err("newer").to_string();
    assert!(refused.contains("layout 99") && refused.contains("upgrade"), "{refused}");
    for id in ["", "-1", "0", "1@2", "x", "99999999999999999999"] {
        assert_eq!(letters.read(LetterId(id.into())).await.expect("no error"), None, "{id}");
    }
}
