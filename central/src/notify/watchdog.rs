//! Says over the other channels that one does not take pages any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::alert::label;
use goldentime_model::{Labels, UnixNanos};
use goldentime_runtime::SharedClock;
use tokio::time::MissedTickBehavior;

use super::foreign::Posted;
use super::handle::Handle;
use super::health::{ChannelHealth, ChannelState};

/// Name of the alert.
const NAME: &str = "ChannelFailing";

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A channel that fails on is said again this often, well before it would be taken to be over.
const SAID_EVERY_NS: i64 = 60 * 1_000_000_000;

/// Watches the channels of this central.
pub(super) struct Watchdog {
    pub(super) handle: Handle,
    pub(super) clock: SharedClock,
    /// This central's name.
    pub(super) member: Arc<str>,
    /// A channel that fails for so long is told.
    pub(super) after: Duration,
}

/// A channel that fails.
#[derive(Clone, Copy)]
struct Failing {
    since: UnixNanos,
    said: Option<UnixNanos>,
}

impl Watchdog {
    /// Watches for ever.
    pub(super) async fn run(self) {
        let mut failing: HashMap<String, Failing> = HashMap::new();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let channels = self.handle.channels();
            let mut news = Vec::new();
            for channel in &channels {
                news.extend(self.look(channel, &channels, &mut failing));
            }
            if !news.is_empty() {
                self.handle.post(news).await;
            }
        }
    }

    fn look(
        &self,
        channel: &ChannelHealth,
        all: &[ChannelHealth],
        failing: &mut HashMap<String, Failing>,
    ) -> Option<Posted> {
        let now = self.clock.now();
        if channel.state != ChannelState::Failing {
            let before = failing.remove(&channel.name)?;
            before.said?;
            tracing::info!(channel = channel.name, "a channel takes pages again");
            return self.posted(channel, all, before.since, Some(now));
        }
        let known = failing.entry(channel.name.clone()).or_insert(Failing { since: now, said: None });
        let after = i64::try_from(self.after.as_nanos()).unwrap_or(i64::MAX);
        let is_due =
            now.since(known.since) >= after && known.said.is_none_or(|at| now.since(at) >= SAID_EVERY_NS);
        if !is_due {
            return None;
        }
        if known.said.is_none() {
            tracing::error!(channel = channel.name, error = channel.last_error, "a channel takes no pages");
        }
        known.said = Some(now);
        let since = known.since;
        self.posted(channel, all, since, None)
    }

    fn posted(
        &self,
        channel: &ChannelHealth,
        all: &[ChannelHealth],
        since: UnixNanos,
        ends_at: Option<UnixNanos>,
    ) -> Option<Posted> {
        let pairs = [
            (label::ALERTNAME, NAME),
            ("channel", channel.name.as_str()),
            ("central", &*self.member),
            (label::SEVERITY, "page"),
        ];
        let labels: Labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (name, error) = (&channel.name, channel.last_error.as_deref().unwrap_or("no answer"));
        let notes = [
            ("summary", format!("Channel {name} takes no pages: {error}")),
            ("summary_ko", format!("채널 {name}이(가) 알림을 받지 않습니다: {error}")),
        ];
        let annotations: Labels = notes.map(|(name, value)| (name.to_owned(), value)).into();
        let others = all.iter().filter(|other| other.name != *name).map(|other| other.name.clone());
        match Posted::new(labels, annotations, Some(since), ends_at, None) {
            Ok(posted) => Some(posted.to(others.collect())),
            Err(reason) => {
                tracing::error!(channel = name, reason, "that a channel takes no pages cannot be told");
                None
            }
        }
    }
}
