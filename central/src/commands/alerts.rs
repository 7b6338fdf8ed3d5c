//! `goldentime-central alerts`: what fires, and what people do about it, also while the central runs, which knows it
//! within a second.

use std::sync::Arc;

use anyhow::Context;
use goldentime_catalog::{AlertRecord, EventKind, HistoryQuery};
use goldentime_model::{Alert, AlertStatus, Labels};
use goldentime_runtime::SystemClock;
use serde_json::json;

use super::deadletter::text::{plain, table, terminal_columns};
use super::print::{shown, shown_or};
use crate::cli::{AlertArgs, AlertsListArgs, CareArgs, NoteArgs, SendTestArgs};
use crate::cluster::OpenCatalogue;
use crate::config::Config;
use crate::notify::matching::Matchers;
use crate::notify::{Handle, Standing, try_out};
use crate::push::frame::AlertView;
use crate::serve::make_private_dir;

/// The catalogue beside the running central, and what is known of its alerts.
struct Beside {
    catalogue: OpenCatalogue,
    notifier: Handle,
}

impl Beside {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        make_private_dir(&config.state_dir)?;
        let catalogue = OpenCatalogue::open(&config.state_dir, &config.cluster).await?;
        let (alerts, desk) = (Arc::clone(&catalogue.alerts), Arc::clone(&catalogue.desk));
        let notifier = Handle::beside(&config.notify, alerts, desk, Arc::new(SystemClock)).await?;
        Ok(Self { catalogue, notifier })
    }

    /// The episode that an id, or its beginning, means: of all, or else of those that fire.
    async fn episode(&self, id: &str) -> anyhow::Result<String> {
        if self.catalogue.desk.alert(id.to_owned()).await?.is_some() {
            return Ok(id.to_owned());
        }
        let active = self.catalogue.alerts.active_alerts().await?;
        let mut meant =
            active.into_iter().map(|record| record.alert.episode).filter(|one| one.starts_with(id));
        match (meant.next(), meant.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => anyhow::bail!("several alerts begin with `{id}`; give more of it"),
            (None, _) => anyhow::bail!(
                "no alert has the id `{id}`, and none that fires begins with it; `goldentime-central alerts list` shows them"
            ),
        }
    }

    async fn note(&self, id: &str, kind: EventKind, by: Option<&str>, text: &str) -> anyhow::Result<()> {
        let episode = self.episode(id).await?;
        let by = by.map_or_else(user, str::to_owned);
        let event = self.notifier.decisions().note(&episode, kind, &by, text).await?;
        println!("{} by {}: {episode}", event.kind.as_str(), plain(&event.by));
        self.catalogue.alerts.close().await;
        Ok(())
    }
}

/// Who runs this: the one behind sudo, where there is one.
fn user() -> String {
    let of = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
    of("SUDO_USER").or_else(|| of("USER")).unwrap_or_else(|| "command line".to_owned())
}

/// Lists what fires, or the history.
pub async fn list(config: &Config, args: &AlertsListArgs) -> anyhow::Result<()> {
    let beside = Beside::open(config).await?;
    let filter = Matchers::parse(&args.filter).map_err(anyhow::Error::msg)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let found: Vec<(Alert, Option<Standing>)> = if args.history {
        let query = HistoryQuery { before: None, limit: args.limit };
        beside.catalogue.alerts.history(query).await?.into_iter().map(|alert| (alert, None)).collect()
    } else {
        let with_standing = |record: AlertRecord| {
            let standing = beside.notifier.standing(&record);
            (record.alert, Some(standing))
        };
        beside.catalogue.alerts.active_alerts().await?.into_iter().map(with_standing).collect()
    };
    let found = found.into_iter().filter(|(alert, _)| filter.match_all(&alert.labels)).take(limit);
    if args.json {
        for (alert, _) in found {
            println!("{}", plain(&serde_json::to_string(&AlertView::from(&alert))?));
        }
    } else {
        let rows: Vec<Vec<String>> = found.map(|(alert, standing)| row(&alert, standing.as_ref())).collect();
        if rows.is_empty() {
            eprintln!("no alerts{}", if args.history { "" } else { " fire" });
        } else {
            print!("{}", table(&["id", "since", "state", "alert", "labels"], &rows, terminal_columns()));
        }
    }
    beside.catalogue.alerts.close().await;
    Ok(())
}

fn row(alert: &Alert, standing: Option<&Standing>) -> Vec<String> {
    let name = alert.labels.get("alertname").map_or("-", String::as_str);
    vec![
        alert.episode.clone(),
        shown(alert.starts_at),
        state(alert, standing),
        plain(name),
        plain(&labels(&alert.labels)),
    ]
}

fn state(alert: &Alert, standing: Option<&Standing>) -> String {
    let standing = standing.cloned().unwrap_or_default();
    match (alert.status, &standing.acknowledged) {
        (AlertStatus::Resolved, _) => "over".into(),
        (AlertStatus::Firing, Some(by)) => format!("acknowledged by {}", plain(&by.by)),
        (AlertStatus::Firing, None) if !standing.silenced_by.is_empty() => "silenced".into(),
        (AlertStatus::Firing, None) if !standing.inhibited_by.is_empty() => "inhibited".into(),
        (AlertStatus::Firing, None) if !standing.muted_by.is_empty() => "muted".into(),
        (AlertStatus::Firing, None) => "fires".into(),
    }
}

fn labels(labels: &Labels) -> String {
    let pairs =
        labels.iter().filter(|(name, _)| *name != "alertname").map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Shows one.
pub async fn show(config: &Config, args: &AlertArgs) -> anyhow::Result<()> {
    let beside = Beside::open(config).await?;
    let episode = beside.episode(&args.id).await?;
    let story = beside.notifier.decisions().story(&episode).await?.context("the alert is gone")?;
    let alert = &story.record.alert;
    if args.json {
        let line = json!({"alert": AlertView::from(alert), "events": story.events, "told": story.told});
        println!("{}", plain(&line.to_string()));
    } else {
        let standing = beside.notifier.standing(&story.record);
        println!("{}", alert.episode);
        println!("  state      {}", state(alert, Some(&standing)));
        println!("  labels     {}", plain(&format!("{:?}", alert.labels)));
        for (name, value) in &alert.annotations {
            println!("  {:<10} {}", plain(name), plain(value));
        }
        println!("  from       {}", shown(alert.starts_at));
        println!("  until      {}", shown_or(alert.ends_at, "now"));
        let told = story.told.iter().map(|told| (told.at, format!("{} over {}", told.what, told.channel)));
        let events = story.events.iter().map(|event| {
            let text = if event.text.is_empty() { String::new() } else { format!(": {}", event.text) };
            (event.at, format!("{} by {}{text}", event.kind.as_str(), event.by))
        });
        let mut history: Vec<_> = told.chain(events).collect();
        history.sort_by_key(|(at, _)| *at);
        for (at, what) in history {
            println!("  {} {}", shown(at), plain(&what));
        }
    }
    beside.catalogue.alerts.close().await;
    Ok(())
}

/// Somebody takes care of an alert.
pub async fn ack(config: &Config, args: &CareArgs) -> anyhow::Result<()> {
    care(config, args, EventKind::Acknowledged).await
}

/// Nobody does any more.
pub async fn unack(config: &Config, args: &CareArgs) -> anyhow::Result<()> {
    care(config, args, EventKind::Unacknowledged).await
}

async fn care(config: &Config, args: &CareArgs, kind: EventKind) -> anyhow::Result<()> {
    let text = args.text.as_deref().unwrap_or_default();
    Beside::open(config).await?.note(&args.id, kind, args.by.as_deref(), text).await
}

/// Writes something down.
pub async fn note(config: &Config, args: &NoteArgs) -> anyhow::Result<()> {
    Beside::open(config).await?.note(&args.id, EventKind::Noted, args.by.as_deref(), &args.text).await
}

/// Tries a channel.
pub async fn send_test(config: &Config, args: &SendTestArgs) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock);
    let preview = try_out::try_out(&config.notify, &args.channel, clock, args.preview).await?;
    match args.preview {
        true => println!("{preview}"),
        false => println!("the channel `{}` took the test", args.channel),
    }
    Ok(())
}
