//! Judges letters as the running central would, without it.

use crate::config::Config;
use crate::ingest::deadletter::Letter;
use crate::ingest::deadletter::admission::{Admitted, admit};
use crate::ingest::registry::{Registry, Standing};
use crate::ingest::validity::Refusal;

/// What there is to judge by.
pub(super) struct Judge {
    registry: Option<Registry>,
    partitions: u32,
}

impl Judge {
    /// That of the central with this configuration.
    pub(super) async fn of(config: &Config) -> anyhow::Result<Self> {
        let registry = Registry::existing(&config.state_dir, &config.cluster).await?;
        if let Some(registry) = &registry {
            registry.prepare().await?;
        }
        Ok(Self { registry, partitions: config.partitions() })
    }

    /// Whether a letter would be taken now.
    pub(super) async fn judge(&self, letter: &Letter) -> anyhow::Result<Result<Admitted, Refusal>> {
        let sender = match &self.registry {
            Some(registry) => registry.standing(&letter.head.agent).await?,
            None => Standing::Unknown,
        };
        Ok(admit(letter, Some(&sender), self.partitions))
    }
}
