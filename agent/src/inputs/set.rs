//! All inputs of an agent.

use std::collections::HashSet;

use goldentime_model::ServiceId;
use goldentime_model::identity::{NameError, UNKNOWN_SERVICE};
use goldentime_runtime::{SharedClock, Tasks};

use super::config::Config;
use super::host::{Host, HostHandle};
use super::route::{Config as RouteConfig, Source};
use super::service::{self, Services, ServicesHandle};
use super::statsd::{self, Statsd, StatsdHandle};
use super::tail::{self, Tail, TailHandle};
use crate::aggregate::{Aggregator, Positions};

/// Name of the host's shard; no tailed input is called so, since theirs are paths or given.
const HOST_INPUT: &str = "host";

/// Whose data the inputs read.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Project, given by the join token.
    pub project: String,
    /// Environment, given by the configuration.
    pub environment: String,
    /// Name of this host.
    pub host: String,
}

/// All inputs, checked and ready to start.
pub struct Inputs {
    tails: Vec<(String, Tail)>,
    statsd: Option<Statsd>,
    host: Option<(Host, ServiceId)>,
    services: Option<(Services, service::Config)>,
}

/// Asks the running inputs.
#[derive(Clone, Debug)]
pub struct InputHandles {
    /// The tailed ones.
    pub tails: Vec<TailHandle>,
    /// The host, where it is read.
    pub host: Option<HostHandle>,
    /// StatsD, where it is enabled.
    pub statsd: Option<StatsdHandle>,
    /// That which reads the saturation of services, where there is any.
    pub services: Option<ServicesHandle>,
}

/// Why the inputs cannot run.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// One of them cannot.
    #[error(transparent)]
    Tail(#[from] tail::Error),
    /// StatsD cannot.
    #[error("inputs.statsd: {0}")]
    Statsd(#[from] statsd::Error),
    /// A service cannot be looked for.
    #[error(transparent)]
    Service(#[from] service::services::EntryError),
    /// Read positions are kept by name.
    #[error("two inputs are called `{0}`; give one of them another `name`")]
    SameName(String),
    /// A name cannot stand in a service's id.
    #[error("`{name}`: {source}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        source: NameError,
    },
}

impl Inputs {
    /// Checks and compiles the configuration, and opens the sockets that it asks for.
    pub fn new(config: &Config, routes: &RouteConfig, owner: &Owner) -> Result<Self, InputsError> {
        let reserved = [HOST_INPUT, statsd::input::NAME, service::input::NAME];
        let mut names = HashSet::from(reserved.map(str::to_owned));
        let source = || Source {
            project: owner.project.clone(),
            environment: owner.environment.clone(),
            service: None,
        };
        let mut tails = Vec::new();
        for tail in &config.tail {
            let name = tail.name();
            if !names.insert(name.clone()) {
                return Err(InputsError::SameName(name));
            }
            let service = tail.service.as_deref().unwrap_or(UNKNOWN_SERVICE);
            ServiceId::new(&owner.project, &owner.environment, service)
                .map_err(|source| InputsError::Name { name: service.to_owned(), source })?;
            tails.push((name, Tail::new(tail.clone(), routes, source())?));
        }
        let statsd = config.statsd.enabled.then(|| Statsd::listen(&config.statsd, routes, source()));
        let host = config.host.enabled.then(|| {
            let id = ServiceId::of_host(&owner.project, &owner.environment, &owner.host)
                .map_err(|source| InputsError::Name { name: owner.host.clone(), source })?;
            Ok::<_, InputsError>((Host::new(config.host.clone()), id))
        });
        let services = (!config.services.is_empty()).then(|| {
            let saturation = config.saturation.clone();
            Services::new(saturation.clone(), &config.services, &owner.project, &owner.environment)
                .map(|services| (services, saturation))
        });
        Ok(Self {
            tails,
            statsd: statsd.transpose()?,
            host: host.transpose()?,
            services: services.transpose()?,
        })
    }

    /// The tailed inputs by name, for `check`.
    pub fn tails(&self) -> impl Iterator<Item = (&str, &Tail)> {
        self.tails.iter().map(|(name, tail)| (&**name, tail))
    }

    /// Starts them all, each with a shard of its own, from where `positions` say. They end with
    /// [`Tasks::stopping`].
    pub fn start(
        self,
        tasks: &Tasks,
        clock: &SharedClock,
        aggregator: &Aggregator,
        positions: &Positions,
    ) -> InputHandles {
        let host = self.host.map(|(host, service)| {
            host.start(tasks, clock.clone(), aggregator.open_shard(HOST_INPUT), service)
        });
        let statsd = self.statsd.map(|statsd| {
            let shard = aggregator.open_shard(statsd::input::NAME);
            statsd.start(tasks, clock.clone(), shard, positions)
        });
        let services = self.services.map(|(services, config)| {
            let shard = aggregator.open_shard(service::input::NAME);
            service::input::start(services, &config, tasks, clock.clone(), shard)
        });
        let tails = self.tails.into_iter();
        let tails = tails
            .map(|(name, tail)| tail.start(tasks, clock.clone(), aggregator.open_shard(&name), positions))
            .collect();
        InputHandles { tails, statsd, host, services }
    }
}
