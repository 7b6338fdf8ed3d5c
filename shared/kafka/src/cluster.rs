//! Looks at what a cluster has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

use crate::brokers;
use crate::client::{Context, Trouble, client};
use crate::config::KafkaConfig;
use crate::error::KafkaFailure;

/// Events that are heard before a failure is told, and how long each is waited for.
const EVENTS_MAX: usize = 64;
const EVENT_WITHIN: Duration = Duration::from_millis(50);

/// The right to look.
const DESCRIBE: &str = "Describe on the topics";

/// How a topic is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// How many.
    pub count: u32,
    /// Replicas of the partition that has the fewest.
    pub replicas: u32,
}

/// A topic in an answer.
type Shown = (String, Result<Partitions, RDKafkaErrorCode>);

/// Topics by name.
pub type Found = HashMap<String, Partitions>;

/// The cluster, to be asked.
pub struct Cluster {
    /// For whoever changes something.
    pub admin: AdminClient<Context>,
    /// Says what ails it, which the other does not.
    looker: Arc<BaseConsumer<Context>>,
    /// The longest that one question may take.
    pub timeout: Duration,
    trouble: Trouble,
}

impl Cluster {
    /// A cluster that was not asked yet. Fails for settings that cannot be used, such as a file that
    /// cannot be read.
    pub fn new(config: &KafkaConfig) -> Result<Self, KafkaFailure> {
        let trouble = Trouble::default();
        let context = Context::new("topics", trouble.clone());
        let failed = |error| KafkaFailure::of("make a client", "", &error);
        let mut client = client(config);
        let admin = AdminClient::from_config_and_context(&client, context.clone()).map_err(failed)?;
        client.set("allow.auto.create.topics", "false");
        let looker = BaseConsumer::from_config_and_context(&client, context).map_err(failed)?;
        let timeout = config.request_timeout.get();
        Ok(Self { admin, looker: Arc::new(looker), timeout, trouble })
    }

    /// What an error means, with what the client last said.
    #[must_use]
    pub fn failure(&self, action: &str, rights: &str, error: &KafkaError) -> KafkaFailure {
        KafkaFailure::of(action, rights, error).with_trouble(self.trouble.now())
    }

    /// All topics that this user may see. Asking for one by its name might make it where brokers make
    /// topics by themselves.
    pub async fn topics(&self) -> Result<Found, KafkaFailure> {
        let topics = self.metadata(None).await;
        let topics = topics.map_err(|error| self.failure("look at the topics", DESCRIBE, &error))?;
        Ok(topics.into_iter().filter_map(|(name, found)| Some((name, found.ok()?))).collect())
    }

    /// One topic, without a look at all the others, which may be thousands; `None` where it is missing.
    pub async fn topic(&self, name: &str) -> Result<Option<Partitions>, KafkaFailure> {
        let failed = |error| self.failure(&format!("look at topic {name}"), DESCRIBE, &error);
        let topics = self.metadata(Some(name.to_owned())).await.map_err(failed)?;
        match topics.into_iter().find(|(found, _)| found == name) {
            None | Some((_, Err(RDKafkaErrorCode::UnknownTopicOrPartition))) => Ok(None),
            // One that is being made or deleted has none for a while.
            Some((_, Ok(found))) => Ok(Some(found).filter(|found| found.count > 0)),
            Some((_, Err(code))) => Err(failed(KafkaError::MetadataFetch(code))),
        }
    }

    async fn metadata(&self, topic: Option<String>) -> Result<Vec<Shown>, KafkaError> {
        brokers::remember(self.looker.client());
        brokers::remember(self.admin.inner());
        let (looker, timeout) = (Arc::clone(&self.looker), self.timeout);
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = looker.fetch_metadata(topic.as_deref(), timeout).inspect_err(|_| {
                // What it has to say of it, which comes as events.
                (0..EVENTS_MAX).take_while(|_| looker.poll(EVENT_WITHIN).is_some()).for_each(drop);
            })?;
            Ok(metadata.topics().iter().map(shown).collect())
        });
        asked.await.unwrap_or(Err(KafkaError::Canceled))
    }

    /// A topic's settings.
    pub async fn settings(&self, topic: &str) -> Result<HashMap<String, String>, KafkaFailure> {
        let action = format!("read the settings of topic {topic}");
        let rights = format!("DescribeConfigs on topic {topic}");
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let asked = self.admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
        let asked = asked.map_err(|error| self.failure(&action, &rights, &error))?;
        let mut settings = HashMap::new();
        for resource in asked {
            match resource {
                Ok(resource) => settings.extend(
                    resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))),
                ),
                Err(code) => {
                    let error = KafkaError::AdminOp(code);
                    return Err(match code {
                        RDKafkaErrorCode::TopicAuthorizationFailed => KafkaFailure::Denied { action, rights },
                        _ => self.failure(&action, &rights, &error),
                    });
                }
            }
        }
        Ok(settings)
    }
}

fn shown(topic: &MetadataTopic) -> Shown {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
    let partitions =
        Partitions { count: number(topic.partitions().len()), replicas: number(replicas.unwrap_or(0)) };
    let found = topic.error().map_or(Ok(partitions), |code| Err(RDKafkaErrorCode::from(code)));
    (topic.name().to_owned(), found)
}
