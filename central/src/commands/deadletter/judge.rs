//! Judges letters as the running central would, without it.

use std::sync::{Arc, Mutex};

use goldentime_runtime::SystemClock;

use crate::config::Config;
use crate::ingest::deadletter::Letter;
use crate::ingest::deadletter::admission::{Admission, Admitted};
use crate::ingest::raw::fold::Fold;
use crate::ingest::registry::{Registry, Standing};
use crate::ingest::validity::Refusal;

/// What there is to judge by.
pub(super) struct Judge {
    registry: Option<Registry>,
    admission: Admission,
}

impl Judge {
    /// That of the central with this configuration.
    pub(super) async fn of(config: &Config) -> anyhow::Result<Self> {
        let registry = Registry::existing(&config.state_dir, &config.cluster).await?;
        if let Some(registry) = &registry {
            registry.prepare().await?;
        }
        let raw = config.cluster.raw.as_ref().map(|raw| Fold::new(raw, Arc::new(SystemClock))).transpose()?;
        let raw = raw.map(|raw| Arc::new(Mutex::new(raw)));
        Ok(Self { registry, admission: Admission::new(config.partitions(), raw) })
    }

    /// Whether a letter would be taken now.
    pub(super) async fn judge(&self, letter: &Letter) -> anyhow::Result<Result<Admitted, Refusal>> {
        let sender = match &self.registry {
            Some(registry) => registry.standing(&letter.head.agent).await?,
            None => Standing::Unknown,
        };
        Ok(self.admission.admit(letter, Some(&sender)))
    }
}
