//! `goldentime-central deadletter list`.

use goldentime_model::UnixNanos;
use goldentime_model::units::ByteSize;
use goldentime_runtime::{Clock, SystemClock};

use super::text::{plain, table, terminal_columns};
use crate::cli::ListArgs;
use crate::commands::print::shown;
use crate::config::Config;
use crate::ingest::deadletter::store::PAGE_MAX;
use crate::ingest::deadletter::{Filter, Head, LetterStore, PageRequest};

/// Lists letters, newest first, or how many there are of each reason.
pub async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let Some(letters) = super::letters(config).await? else { return Ok(()) };
    let filter = super::filter(&args.filter, args.replayed, SystemClock.now());
    if args.summary {
        return summary(&*letters, filter, args.json).await;
    }
    let (found, is_more) = newest(&*letters, &filter, args.limit).await?;
    if args.json {
        for head in &found {
            println!("{}", plain(&serde_json::to_string(head)?));
        }
        return Ok(());
    }
    if found.is_empty() {
        eprintln!("no dead letters{}", if filter == Filter::default() { "" } else { " are like that" });
        return Ok(());
    }
    let rows: Vec<_> = found.iter().map(row).collect();
    let head = ["id", "time", "agent", "host", "reason", "size", "detail"];
    print!("{}", table(&head, &rows, terminal_columns()));
    if is_more {
        eprintln!("there are older ones: --limit shows more, --summary how many");
    }
    Ok(())
}

/// The newest letters, page by page.
async fn newest(letters: &dyn LetterStore, filter: &Filter, limit: u32) -> anyhow::Result<(Vec<Head>, bool)> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let left = limit - u32::try_from(found.len()).unwrap_or(limit);
        let page = PageRequest { before, limit: left.min(PAGE_MAX) };
        let page = letters.list(filter.clone(), page).await?;
        found.extend(page.letters);
        before = page.next;
        if before.is_none() || found.len() >= limit as usize {
            return Ok((found, before.is_some()));
        }
    }
}

fn row(head: &Head) -> Vec<String> {
    let mut detail = plain(&head.detail);
    if head.times > 1 {
        detail = format!("({} times) {detail}", head.times);
    }
    if let Some(at) = head.replayed_at {
        detail = format!("(replayed {}) {detail}", shown(at));
    }
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text) };
    vec![
        head.id.to_string(),
        shown(head.at),
        or_none(&head.agent),
        or_none(&head.host),
        plain(&head.reason),
        ByteSize(head.bytes).rounded(),
        detail,
    ]
}

async fn summary(letters: &dyn LetterStore, filter: Filter, json: bool) -> anyhow::Result<()> {
    let counts = letters.summary(filter).await?;
    if json {
        for count in &counts {
            println!("{}", plain(&serde_json::to_string(count)?));
        }
        return Ok(());
    }
    if counts.is_empty() {
        eprintln!("no dead letters");
        return Ok(());
    }
    let at = |millis| shown(UnixNanos::from_millis(millis));
    let rows: Vec<_> = counts
        .iter()
        .map(|count| {
            vec![
                plain(&count.reason),
                count.letters.to_string(),
                count.senders.to_string(),
                ByteSize(count.bytes).rounded(),
                at(count.first_ms),
                at(count.last_ms),
            ]
        })
        .collect();
    let head = ["reason", "letters", "senders", "size", "first", "last"];
    print!("{}", table(&head, &rows, terminal_columns()));
    Ok(())
}
