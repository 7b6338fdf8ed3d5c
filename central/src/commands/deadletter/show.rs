//! `goldentime-central deadletter show`.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use goldentime_runtime::{Clock, SystemClock};
use serde_json::json;

use super::judge::Judge;
use super::text::{plain, plain_lines};
use crate::cli::ShowArgs;
use crate::commands::print::{shown, shown_or};
use crate::config::Config;
use crate::ingest::deadletter::shown::{Reading, hex, read};
use crate::ingest::deadletter::{Kind, Letter, LetterId};

/// Bytes that are shown of what cannot be read.
const HEX_BYTES_MAX: usize = 4096;
/// Bytes in a line of them.
const HEX_BYTES_LINE: usize = 16;

/// Shows a letter, or gives its bytes.
pub async fn show(config: &Config, args: &ShowArgs) -> anyhow::Result<()> {
    let found = match super::letters(config).await? {
        Some(letters) => letters.read(LetterId(args.id.clone())).await?,
        None => None,
    };
    let letter = found.with_context(|| {
        format!(
            "there is no dead letter `{}` (any more); `goldentime-central deadletter list` shows them",
            args.id
        )
    })?;
    if args.raw {
        let mut out = std::io::stdout().lock();
        anyhow::ensure!(
            letter.head.kind != Kind::Record || !out.is_terminal(),
            "the record is binary; send it into a file or a program: `deadletter show {} --raw > record`",
            letter.head.id
        );
        out.write_all(&letter.record)?;
        return Ok(out.flush()?);
    }
    if args.json {
        let mut whole = serde_json::to_value(&letter.head)?;
        match read(&letter) {
            Reading::Json(record) => whole["record"] = record,
            Reading::Unreadable(why) => {
                whole["unreadable"] = why.into();
                whole["hex"] = hex(&letter.record).into();
            }
        }
        whole["project"] = json!(letter.project);
        println!("{}", plain(&whole.to_string()));
        return Ok(());
    }
    print(config, &letter).await
}

async fn print(config: &Config, letter: &Letter) -> anyhow::Result<()> {
    let head = &letter.head;
    let put = |name: &str, value: &str| println!("{name:<11}{value}");
    put("id", &head.id.to_string());
    put("refused", &shown(head.at));
    match head.kind {
        Kind::Record => {
            let project = if letter.project.is_empty() { "" } else { ", project " };
            put("agent", &format!("{}{project}{}", plain(&head.agent), plain(&letter.project)));
        }
        Kind::Line => put("agent", "- (a log line that the log store rejected)"),
        Kind::Raw => put("agent", &format!("- (a record of {})", plain(&head.source))),
    }
    put("host", &plain(&head.host));
    if !head.service.is_empty() {
        put("service", &plain(&head.service));
    }
    put("reason", &plain(&head.reason));
    put("detail", &plain(&head.detail));
    put(
        "size",
        &format!("{} bytes{}", head.bytes, if letter.is_cut { ", cut: the rest is gone" } else { "" }),
    );
    if head.times > 1 {
        put("came", &format!("{} times, the very same, last {}", head.times, shown(head.last_at)));
    }
    put("replayed", &shown_or(head.replayed_at, "no"));
    let now = match Judge::of(config).await?.judge(letter).await? {
        Ok(admitted) if admitted.is_late(SystemClock.now()) => {
            "would be taken; too late for rules, in time for history".to_owned()
        }
        Ok(_) => "would be taken".to_owned(),
        Err(refusal) => format!("would be refused again: {}: {}", refusal.reason, plain(&refusal.detail)),
    };
    put("now", &now);
    println!();
    match read(letter) {
        Reading::Json(record) => println!("{}", plain_lines(&serde_json::to_string_pretty(&record)?)),
        Reading::Unreadable(why) => {
            println!("it cannot be read: {}", plain(&why));
            print!("{}", dump(&letter.record));
        }
    }
    Ok(())
}

/// Bytes in hexadecimal and, where they are such, as ASCII.
fn dump(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(HEX_BYTES_MAX)];
    let mut text = String::new();
    for (at, line) in shown.chunks(HEX_BYTES_LINE).enumerate() {
        let spaced: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let ascii: String = line.iter().map(ascii).collect();
        text.push_str(&format!("{:06x}  {:<47}  {ascii}\n", at * HEX_BYTES_LINE, spaced.join(" ")));
    }
    if bytes.len() > shown.len() {
        text.push_str(&format!("... and {} bytes more: --raw gives all\n", bytes.len() - shown.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_cannot_be_read_are_dumped_up_to_a_limit() {
        let dumped = dump(b"ab\x1b[2J and some more\xff");
        assert_eq!(
            dumped,
            "000000  61 62 1b 5b 32 4a 20 61 6e 64 20 73 6f 6d 65 20  ab.[2J.and.some.\n\
             000010  6d 6f 72 65 ff                                   more.\n"
        );
        let long = dump(&vec![0; HEX_BYTES_MAX + 7]);
        assert!(long.ends_with("and 7 bytes more: --raw gives all\n"), "{long}");
    }
}
