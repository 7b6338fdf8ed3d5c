//! Looks at what the cluster has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_kafka::{Context, KafkaFailure, Trouble, client};
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::config::KafkaLogConfig;

/// Events that are heard before a failure is told, and how long each is waited for.
const EVENTS_MAX: usize = 64;
const EVENT_WITHIN: Duration = Duration::from_millis(50);

/// How a topic is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partitions {
    pub(super) count: u32,
    /// Of the partition that has the fewest.
    pub(super) replicas: u32,
}

/// Topics by name.
pub(super) type Found = HashMap<String, Partitions>;

/// The cluster, to be asked.
pub(super) struct Cluster {
    pub(super) admin: AdminClient<Context>,
    /// Says what ails it, which the other does not.
    looker: Arc<BaseConsumer<Context>>,
    pub(super) timeout: Duration,
    trouble: Trouble,
}

impl Cluster {
    pub(super) fn new(config: &KafkaLogConfig) -> Result<Self, KafkaFailure> {
        let trouble = Trouble::default();
        let context = Context::new("topics", trouble.clone());
        let failed = |error| KafkaFailure::of("make a client", "", &error);
        let mut client = client(&config.connection);
        let admin = AdminClient::from_config_and_context(&client, context.clone()).map_err(failed)?;
        client.set("allow.auto.create.topics", "false");
        let looker = BaseConsumer::from_config_and_context(&client, context).map_err(failed)?;
        let timeout = config.connection.request_timeout.get();
        Ok(Self { admin, looker: Arc::new(looker), timeout, trouble })
    }

    /// What an error means, with what the client last said.
    pub(super) fn failure(&self, action: &str, rights: &str, error: &KafkaError) -> KafkaFailure {
        KafkaFailure::of(action, rights, error).with_trouble(self.trouble.now())
    }

    /// All topics that this user may see. Asking for one by its name might make it.
    pub(super) async fn topics(&self) -> Result<Found, KafkaFailure> {
        let (looker, timeout) = (Arc::clone(&self.looker), self.timeout);
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = looker.fetch_metadata(None, timeout).inspect_err(|_| {
                // What it has to say of it, which comes as events.
                (0..EVENTS_MAX).take_while(|_| looker.poll(EVENT_WITHIN).is_some()).for_each(drop);
            })?;
            let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
            Ok(topics
                .map(|topic| {
                    let replicas =
                        topic.partitions().iter().map(|partition| partition.replicas().len()).min();
                    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
                    let partitions = Partitions {
                        count: number(topic.partitions().len()),
                        replicas: number(replicas.unwrap_or(0)),
                    };
                    (topic.name().to_owned(), partitions)
                })
                .collect())
        });
        let asked: Result<Found, KafkaError> = asked.await.map_err(|_| KafkaFailure::Stopped)?;
        asked.map_err(|error| self.failure("look at the topics", "Describe on the topics", &error))
    }

    /// A topic's settings.
    pub(super) async fn settings(&self, topic: &str) -> Result<HashMap<String, String>, KafkaFailure> {
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
