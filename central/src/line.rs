//! The line from intake to merge: the central's own log, or Kafka, from which several centrals take.

use std::sync::Arc;

use anyhow::Context;
use goldentime_log::kafka::{Group, Topic};
use goldentime_runtime::{SharedClock, Tasks};
use goldentime_windows::{CheckpointStore, Losses, WindowStore, resume_point};

use crate::config::Config;
use crate::ingest;
use crate::ingest::deadletter::{DeadLetters, SharedLetters};
use crate::ingest::embedded::{EmbeddedLog, GENERATION};
use crate::ingest::produce;
use crate::ingest::raw::fold::Fold;
use crate::ingest::raw::start::RawTopic;
use crate::ingest::shared::{Heard, SharedLog};
use crate::ingest::start::{Behind, IngestError};
use crate::members;
use crate::merge::replay_end::ReplayEnd;
use crate::merge::start::Resume;
use crate::persist::{Followed, Readers};
use crate::push::frame::NotReady;
use crate::roles::Role;
use crate::serve::{Merge, Partitions, Stores};

/// Tells what keeps the log from being used.
pub type AskLog = Arc<dyn Fn() -> Option<NotReady> + Send + Sync>;

/// The log as the configuration has it, open and not written to yet.
pub enum OpenLog {
    /// The central's own, with the windows and checkpoints that go with it.
    Own {
        /// The log.
        log: EmbeddedLog,
        /// Where the merge stands.
        windows: Arc<dyn WindowStore>,
        /// From where it goes on.
        checkpoints: Arc<dyn CheckpointStore>,
        /// How many partitions it has.
        partitions: u32,
    },
    /// Kafka.
    Shared {
        /// The log.
        log: Box<SharedLog>,
        /// What others produce to it, where that is read.
        raw: Option<Box<(RawTopic, Group)>>,
        /// Who will read the dead letters of all, where this central may.
        letters: Option<Box<Group>>,
        /// This central's name among those that share it.
        member: Arc<str>,
        /// Whether this central gives records to it: those of agents, or dead letters once more.
        gives: bool,
    },
}

/// What the log gives to the stations at its ends.
pub struct Line {
    /// For intake, where this central gives records to the log.
    pub behind: Option<Behind>,
    /// For the merge, where this central merges.
    pub merge: Option<Merge>,
    /// The way to other centrals, where the log is shared.
    pub link: Option<members::Link>,
}

/// Opens the dead letters: the central's own, which are kept from now on, or those of a cluster, which go out once
/// the log is open.
pub async fn open_letters(
    config: &Config,
    tasks: &Tasks,
    clock: &SharedClock,
) -> anyhow::Result<(DeadLetters, Option<SharedLetters>)> {
    let (kept, clock) = (&config.dead_letters, Arc::clone(clock));
    let Some((kafka, postgres)) = config.cluster.of_letters() else {
        return Ok((ingest::open_dead_letters(&config.state_dir, kept, clock, tasks).await?, None));
    };
    let raw = config.cluster.raw.as_ref().map(|raw| Fold::new(raw, Arc::clone(&clock))).transpose();
    let (letters, shared) = SharedLetters::new(kafka, postgres, kept, raw.context("cluster.raw")?, clock);
    Ok((letters, Some(shared)))
}

impl OpenLog {
    /// Opens the log that the configuration names.
    pub async fn open(
        config: &Config,
        stores: &Stores,
        letters: Option<SharedLetters>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        if let Some(kafka) = &config.cluster.kafka {
            let member = config.cluster.member().unwrap_or_default();
            let process = config.does(Role::Process);
            let log = SharedLog::open(kafka, &member, process, tasks).context("cluster.kafka")?;
            let raw = config.raw().map(|raw| RawTopic::open(kafka, raw, &member)).transpose()?.map(Box::new);
            let gives = process || config.does(Role::Gateway);
            let reads_as = process.then_some(&*member);
            let letters = letters.map(|letters| letters.start(tasks, kafka, log.producer(), reads_as));
            let letters = letters.transpose().context("cluster.kafka")?.flatten().map(Box::new);
            return Ok(Self::Shared { log: Box::new(log), raw, letters, member, gives });
        }
        let (windows, checkpoints) =
            stores.windows.clone().zip(stores.checkpoints.clone()).context("no windows")?;
        Ok(Self::Own {
            log: EmbeddedLog::open(&config.state_dir, config.log.clone()).await.map_err(IngestError::from)?,
            windows,
            checkpoints,
            partitions: config.partitions,
        })
    }

    /// Asks what keeps it from being used.
    #[must_use]
    pub fn ask(&self) -> AskLog {
        match self {
            Self::Own { log, .. } => {
                let health = log.health();
                Arc::new(move || {
                    let detail =
                        "the ingest log takes nothing (is the disk full?); agents keep what they have";
                    health.is_refusing().then(|| NotReady { code: "log_full", detail: detail.into() })
                })
            }
            Self::Shared { log, .. } => {
                let health = log.health();
                Arc::new(move || {
                    let trouble = health.trouble()?;
                    let detail = format!("Kafka cannot be used; agents keep what they have: {trouble}");
                    Some(NotReady { code: "log_away", detail })
                })
            }
        }
    }

    /// What is judged, and log lines, for those who follow them; none where nobody does here.
    #[must_use]
    pub fn followed(&self, config: &Config) -> Option<(Followed, Followed)> {
        match self {
            Self::Own { log, partitions, .. } => {
                let own = Followed { log: log.log(), partitions: *partitions, generation: GENERATION };
                Some((own.clone(), own))
            }
            Self::Shared { log, .. } => {
                let (partitions, generation) = (config.partitions(), log.generation());
                let followed = |log: &Arc<_>| Followed { log: Arc::clone(log), partitions, generation };
                let logs = log.followed()?;
                Some((followed(&logs.judged), followed(&logs.lines)))
            }
        }
    }

    /// Starts it. `readers` follow partitions from now on: all of them, or those that are ours.
    pub async fn start(
        self,
        tasks: &Tasks,
        readers: Vec<Readers>,
        dead_letters: &DeadLetters,
        clock: &SharedClock,
    ) -> anyhow::Result<Line> {
        match self {
            Self::Own { log, windows, checkpoints, partitions } => {
                let mut from = Vec::new();
                for partition in 0..partitions {
                    from.push(resume_point(&*windows, &*checkpoints, partition).await?);
                }
                let (behind, feeds) = log.start(tasks, &from, clock).await?;
                // After the log was seen to go on behind the checkpoints.
                for readers in readers {
                    (0..partitions).for_each(|partition| readers.begin(partition, tasks.stopping()));
                }
                let resumes = feeds.into_iter().zip(from).map(|(feed, checkpoint)| Resume {
                    checkpoint,
                    replay_end: ReplayEnd::at(feed.replay_until),
                    records: feed.records,
                    tenure: None,
                    losses: Losses::default(),
                });
                let partitions = Partitions::All(resumes.collect());
                let merge = Merge { partitions, checkpoints, generation: GENERATION };
                Ok(Line { behind: Some(behind), merge: Some(merge), link: None })
            }
            Self::Shared { log, raw, letters, member, gives } => {
                let behind = gives.then(|| {
                    produce::start(tasks, log.config(), &member, log.producer(), dead_letters, clock)
                });
                let (generation, producer) = (log.generation(), log.producer().clone());
                let topic = Topic::Members.name(log.config());
                let followed = log.followed().cloned();
                let mut groups = Vec::new();
                if let Some((topic, group)) = raw.map(|raw| *raw) {
                    topic.start(tasks, clock)?;
                    groups.push(("raw-group", group));
                }
                groups.extend(letters.map(|group| ("letters-group", *group)));
                let Heard { events, members } = log.join(tasks, groups);
                let merge = events.zip(followed).map(|(events, logs)| Merge {
                    partitions: Partitions::Shared { events, log: logs.judged, again: logs.again, readers },
                    checkpoints: logs.checkpoints,
                    generation,
                });
                let link = Some(members::Link { member, topic, producer, log: members });
                Ok(Line { behind, merge, link })
            }
        }
    }
}
