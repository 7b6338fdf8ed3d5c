//! The topics, and what they are called: known to whoever produces to them and whoever reads them.

use std::sync::Arc;

use goldentime_model::config::Check;

/// The topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What agents counted, what they sampled, and how far they have come: everything that is judged, so
    /// that it has one order in each partition.
    Deltas,
    /// Log lines.
    Logs,
    /// What others produce, before it is read.
    Raw,
    /// What merges go on from.
    Checkpoints,
    /// What could not be taken.
    DeadLetter,
    /// What centrals tell each other.
    Members,
}

/// What is common to the names of all topics of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicNames<'a> {
    /// What they begin with.
    pub prefix: &'a str,
    /// Which generation they are of, from 1.
    pub generation: u32,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Deltas, Self::Logs, Self::Raw, Self::Checkpoints, Self::DeadLetter, Self::Members];

    /// Its name: `goldentime.deltas`, and `goldentime.deltas.2` in the second generation.
    #[must_use]
    pub fn name<'a>(self, names: impl Into<TopicNames<'a>>) -> Arc<str> {
        let own = match self {
            Self::Deltas => "deltas",
            Self::Logs => "logs",
            Self::Raw => "raw",
            Self::Checkpoints => "checkpoints",
            Self::DeadLetter => "deadletter",
            Self::Members => "members",
        };
        let TopicNames { prefix, generation } = names.into();
        match (self, generation) {
            // Nothing in these depends on the partitions of the others.
            (Self::Raw | Self::DeadLetter | Self::Members, _) | (_, 1) => format!("{prefix}.{own}").into(),
            _ => format!("{prefix}.{own}.{generation}").into(),
        }
    }
}

impl TopicNames<'_> {
    /// What they begin with, unless told otherwise.
    pub const PREFIX: &'static str = "goldentime";

    /// Refuses what Kafka would not take as a name, under the names that the settings have everywhere:
    /// `topic_prefix` and `generation`.
    pub fn validate(self, check: &mut Check) {
        check.require(is_name(self.prefix), "topic_prefix", NOT_A_NAME);
        check.require((1..=1000).contains(&self.generation), "generation", "is not between 1 and 1000");
    }
}

/// What to say of a text that [`is_name`] does not hold for.
pub const NOT_A_NAME: &str = "is not 1 to 200 letters, digits, `.`, `_` and `-`";

/// Whether Kafka takes this as a part of a topic's name, a group or a member.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(is_allowed) && ![".", ".."].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_has_topics_of_its_own_except_where_partitions_mean_nothing() {
        let names = |generation| TopicNames { prefix: "shop", generation };
        assert_eq!(&*Topic::Deltas.name(names(1)), "shop.deltas");
        assert_eq!(&*Topic::Deltas.name(names(2)), "shop.deltas.2");
        assert_eq!(&*Topic::Checkpoints.name(names(2)), "shop.checkpoints.2");
        assert_eq!(&*Topic::Raw.name(names(2)), "shop.raw");
        assert_eq!(&*Topic::DeadLetter.name(names(2)), "shop.deadletter");
    }

    #[test]
    fn a_prefix_that_kafka_would_not_take_is_refused() {
        let is_refused = |prefix, generation| {
            let mut check = Check::new();
            TopicNames { prefix, generation }.validate(&mut check);
            !check.is_clean()
        };
        assert!(!is_refused("goldentime", 1));
        for prefix in ["", "a b", "..", "결제"] {
            assert!(is_refused(prefix, 1), "{prefix}");
        }
        assert!(is_refused("goldentime", 0));
    }
}
