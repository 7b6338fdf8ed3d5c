//! Sees to it that the topics are there and as they must be.

mod wanted;

use std::time::Duration;

use goldentime_kafka::{Cluster, Found, KafkaFailure, Topic};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio::time::Instant;

use super::config::KafkaLogConfig;
use wanted::Wanted;

/// How long a topic may take to be seen once it is made.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Why the topics cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// Kafka does not answer, or this user may not look.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// They are not as they must be. Each says what to do.
    #[error("Kafka's topics cannot be used: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

/// Makes what is missing, if it may, and refuses what is wrong: all of it, not only the first.
pub async fn ensure(config: &KafkaLogConfig) -> Result<(), TopicsError> {
    let cluster = Cluster::new(&config.connection)?;
    let wanted: Vec<Wanted> = Topic::ALL.iter().map(|topic| Wanted::of(*topic, config)).collect();
    let found = cluster.topics().await?;
    let missing: Vec<&Wanted> = wanted.iter().filter(|wanted| !found.contains_key(&wanted.name)).collect();
    if !missing.is_empty() {
        if !config.create_topics {
            return Err(TopicsError::Wrong(missing.iter().map(|wanted| wanted.missing(config)).collect()));
        }
        create(&cluster, &missing).await?;
    }
    let found = seen(&cluster, &wanted).await?;
    let mut wrong = Vec::new();
    for wanted in &wanted {
        if let Some(found) = found.get(&wanted.name) {
            wanted.compare_partitions(config, *found, &mut wrong);
        }
        wanted.compare_settings(config, &cluster.settings(&wanted.name).await?, &mut wrong);
    }
    if wrong.is_empty() { Ok(()) } else { Err(TopicsError::Wrong(wrong)) }
}

async fn create(cluster: &Cluster, missing: &[&Wanted]) -> Result<(), TopicsError> {
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|wanted| {
            let replication = TopicReplication::Fixed(i32::from(wanted.replication));
            let new = NewTopic::new(
                &wanted.name,
                i32::try_from(wanted.partitions).unwrap_or(i32::MAX),
                replication,
            );
            wanted.settings.iter().fold(new, |new, setting| new.set(setting.name, &setting.value))
        })
        .collect();
    let action = "make the topics that are missing";
    let rights = "Create on the cluster, or let somebody make them and set create_topics: false";
    let options =
        AdminOptions::new().request_timeout(Some(cluster.timeout)).operation_timeout(Some(cluster.timeout));
    let made = cluster.admin.create_topics(&topics, &options).await;
    let made = made.map_err(|error| cluster.failure(action, rights, &error))?;
    let mut wrong = Vec::new();
    for (name, code) in made.into_iter().filter_map(Result::err) {
        match code {
            // Another central was faster.
            RDKafkaErrorCode::TopicAlreadyExists => {}
            RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
                return Err(KafkaFailure::Denied {
                    action: format!("make topic {name}"),
                    rights: rights.to_owned(),
                }
                .into());
            }
            RDKafkaErrorCode::InvalidReplicationFactor => wrong.push(format!(
                "topic {name} cannot be made: there are fewer brokers than `replication` says; start the \
                 others, or lower it"
            )),
            code => wrong.push(format!("topic {name} cannot be made: {code}")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(TopicsError::Wrong(wrong)) }
}

/// Brokers learn of a new topic one after the other.
async fn seen(cluster: &Cluster, wanted: &[Wanted]) -> Result<Found, TopicsError> {
    let until = Instant::now() + SEEN_WITHIN;
    loop {
        let found = cluster.topics().await?;
        let unseen = wanted.iter().find(|wanted| !found.contains_key(&wanted.name));
        let Some(unseen) = unseen else { return Ok(found) };
        if Instant::now() > until {
            let what = format!("topic {} was made, but no broker shows it", unseen.name);
            return Err(KafkaFailure::Unavailable { action: "look at the topics".to_owned(), what }.into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
