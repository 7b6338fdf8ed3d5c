//! `goldentime-central deadletter replay`: asks the running central to give letters back, and waits for it.

use std::time::Duration;

use goldentime_runtime::{Clock, SystemClock};
use tokio::time::Instant;

use super::judge::Judge;
use super::text::plain;
use crate::cli::ReplayArgs;
use crate::config::Config;
use crate::ingest::deadletter::replays::{Progress, ReplayStore, Requested, Wanted};
use crate::ingest::deadletter::store::PAGE_MAX;
use crate::ingest::deadletter::{LetterId, LettersError, PageRequest};

/// A running central takes a replay up within this time.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(10);
/// The same where one of several does, and another has to take over from it first.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);
/// Nothing moves for this long: the central is gone, or its disk is full.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So long is waited for what a search server says to lines that it rejected before.
const LINES_STORED_WITHIN: Duration = Duration::from_secs(3);
/// Refusals that are told one by one.
const TOLD_MAX: u32 = 20;

/// Has letters given back, and says what became of them.
pub async fn replay(config: &Config, args: &ReplayArgs) -> anyhow::Result<()> {
    let Some(letters) = super::letters(config).await? else {
        anyhow::ensure!(args.ids.is_empty(), "there are no such letters");
        return Ok(());
    };
    let wanted = match args.ids.is_empty() {
        true => Wanted::All(super::filter(&args.filter, args.again, SystemClock.now())),
        false => Wanted::Ids(args.ids.iter().cloned().map(LetterId).collect()),
    };
    if args.dry_run {
        return dry_run(config, &*letters, &wanted, args.again).await;
    }
    let mut stream = [0; 16];
    getrandom::fill(&mut stream)?;
    let requested = letters.request(&wanted, args.again, stream, SystemClock.now()).await?;
    tell_left_out(&requested);
    if requested.replays.is_empty() {
        println!("nothing to replay");
        anyhow::ensure!(requested.missing.is_empty(), "{}", missing(&requested.missing));
        return Ok(());
    }
    let taken_up_within = match config.cluster.of_letters() {
        Some(_) => TAKEN_OVER_WITHIN,
        None => TAKEN_UP_WITHIN,
    };
    let progress = wait(&*letters, &requested, taken_up_within).await?;
    tell(config, &*letters, &requested, &progress).await?;
    anyhow::ensure!(
        progress.refused == 0,
        "refused again: {}; they stay dead letters, with their reasons of now",
        progress.refused
    );
    anyhow::ensure!(requested.missing.is_empty(), "{}", missing(&requested.missing));
    Ok(())
}

fn missing(ids: &[LetterId]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| plain(&id.0)).collect();
    format!("no dead letter (any more): {}; `goldentime-central deadletter list` shows them", ids.join(", "))
}

fn tell_left_out(requested: &Requested) {
    if !requested.replayed.is_empty() {
        let ids: Vec<_> = requested.replayed.iter().map(ToString::to_string).collect();
        println!("replayed before, left out (--again counts them once more): {}", ids.join(", "));
    }
    if requested.under_way > 0 {
        println!("under way since an earlier replay, not asked for twice: {}", requested.under_way);
    }
}

/// Waits until every replay has come to its end.
async fn wait(
    replays: &dyn ReplayStore,
    requested: &Requested,
    taken_up_within: Duration,
) -> anyhow::Result<Progress> {
    let asked = Instant::now();
    let (mut moved, mut last) = (Instant::now(), None);
    loop {
        let progress = sum(replays, requested).await?;
        if progress.open == 0 && progress.not_begun == 0 {
            return came_back(replays, requested, progress).await;
        }
        if last != Some(progress) {
            (moved, last) = (Instant::now(), Some(progress));
        }
        if progress.not_begun > 0
            && asked.elapsed() > taken_up_within
            && let Some(new) = requested.new
            && replays.withdraw(new).await?
        {
            anyhow::bail!(
                "no running central took the replay up within {} s, so it was withdrawn and nothing has \
                     happened: does `goldentime-central serve` run, in this version and with this configuration?",
                taken_up_within.as_secs()
            );
        }
        if moved.elapsed() > STALLED_AFTER {
            anyhow::bail!(
                "nothing has moved for {} s: {} given back, {} refused, {} open. The central goes on where it \
                 stopped once it runs and its disk takes data; ask for the same letters again to see the end",
                STALLED_AFTER.as_secs(),
                progress.given,
                progress.refused,
                progress.open
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What a log store rejects anew is told a moment after the log has it.
async fn came_back(
    replays: &dyn ReplayStore,
    requested: &Requested,
    mut progress: Progress,
) -> anyhow::Result<Progress> {
    let until = Instant::now() + LINES_STORED_WITHIN;
    while progress.lines > 0 && Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
        progress = sum(replays, requested).await?;
    }
    Ok(progress)
}

async fn sum(replays: &dyn ReplayStore, requested: &Requested) -> Result<Progress, LettersError> {
    let mut all = Progress::default();
    for replay in &requested.replays {
        let of = replays.progress(*replay).await?;
        all.not_begun += of.not_begun;
        all.ahead = all.ahead.max(of.ahead);
        all.open += of.open;
        all.given += of.given;
        all.late += of.late;
        all.lines += of.lines;
        all.refused += of.refused;
    }
    Ok(all)
}

async fn tell(
    config: &Config,
    replays: &dyn ReplayStore,
    requested: &Requested,
    progress: &Progress,
) -> anyhow::Result<()> {
    println!("given back: {}, refused again: {}", progress.given, progress.refused);
    tell_kinds(config, progress.late, progress.lines);
    for replay in &requested.replays {
        for (id, reason, detail) in replays.refused(*replay, TOLD_MAX).await? {
            println!("  refused: {id}  {}: {}", plain(&reason), plain(&detail));
        }
    }
    Ok(())
}

fn tell_kinds(config: &Config, late: u64, lines: u64) {
    if late > 0 {
        println!(
            "  {late} of them are of seconds that are not judged any more: they count in history, and on live \
             charts as far as those reach back (20 min); no rule looks at them, and no page comes of it"
        );
    }
    if lines > 0 && config.cluster.elasticsearch.is_some() {
        println!("  {lines} of them are log lines: one that the search server rejects again is listed again");
    }
}

/// Says what a replay would do.
async fn dry_run(
    config: &Config,
    letters: &dyn ReplayStore,
    wanted: &Wanted,
    again: bool,
) -> anyhow::Result<()> {
    let judge = Judge::of(config).await?;
    let (mut would, mut told, mut gone) = (Progress::default(), 0, Vec::new());
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        match wanted {
            Wanted::Ids(named) => ids.clone_from(named),
            Wanted::All(filter) => {
                let page = PageRequest { before: before.take(), limit: PAGE_MAX };
                let page = letters.list(filter.clone(), page).await?;
                ids = page.letters.into_iter().map(|head| head.id).collect();
                before = page.next;
            }
        }
        for id in ids.drain(..) {
            let Some(letter) = letters.read(id.clone()).await? else {
                gone.push(id);
                continue;
            };
            if letter.head.replayed_at.is_some() && !again {
                println!("  left out: {id}  replayed before (--again counts it once more)");
                continue;
            }
            match judge.judge(&letter).await? {
                Ok(admitted) => {
                    would.given += 1;
                    would.late += u64::from(admitted.is_late(SystemClock.now()));
                    would.lines += u64::from(admitted.lines.is_some());
                }
                Err(refusal) => {
                    would.refused += 1;
                    if told < TOLD_MAX {
                        told += 1;
                        println!("  would be refused: {id}  {}: {}", refusal.reason, plain(&refusal.detail));
                    }
                }
            }
        }
        if before.is_none() {
            break;
        }
    }
    println!("would be given back: {}, would be refused again: {}", would.given, would.refused);
    tell_kinds(config, would.late, would.lines);
    println!("nothing was done (--dry-run)");
    anyhow::ensure!(gone.is_empty(), "{}", missing(&gone));
    anyhow::ensure!(would.refused == 0, "a replay would leave {} of them refused", would.refused);
    Ok(())
}
