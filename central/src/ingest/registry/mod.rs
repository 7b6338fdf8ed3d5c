//! Who may connect, wherever it is kept: in `agents.db`, or in the database that several centrals share.
//!
//! Who was known stays known while the database is away ([`known`]), and what agents said then is written
//! when it is back ([`notes`]). A database that is empty takes over what `agents.db` held ([`take_over`]). The
//! command line and other centrals change the registry beside this one, which looks for agents that were
//! revoked and cuts them off ([`watch`]).

mod known;
mod notes;
mod take_over;
pub mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goldentime_catalog::registry::{Enrolment, Fingerprint, TokenInfo};
use goldentime_catalog::{CatalogueError, PostgresCatalogue, SecretHash, SqliteRegistry};
use goldentime_model::UnixNanos;
use goldentime_transport::token::{CertificateHash, SecretHash as TokenSecret};
use tokio::time::timeout;

pub use goldentime_catalog::AgentRegistry;
pub use goldentime_catalog::registry::{AgentNote, Enrolled, TokenState};
pub use known::MEMORY_BYTES_MAX;

use crate::cluster::ClusterConfig;
use known::Known;
use notes::Notes;

/// Name of the file in the state folder.
pub const FILE: &str = "agents.db";

/// A store that has not answered in this time is not waited for where the answer is known.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// Whether an agent may speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may, for this project.
    Good(String),
    /// It was revoked.
    Revoked,
    /// Nobody knows it.
    Unknown,
}

/// Tokens and agents. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn AgentRegistry>,
    known: Arc<Known>,
    notes: Arc<Notes>,
    /// What a shared database takes over; none where the registry is a file of its own.
    before: Option<Arc<Path>>,
    /// It was asked once for all its agents, after it took over what there was.
    is_ready: Arc<AtomicBool>,
}

impl Registry {
    /// The registry that the configuration names. A file is opened, a database is reached by its first use.
    pub async fn open(state_dir: &Path, cluster: &ClusterConfig) -> Result<Self, CatalogueError> {
        match &cluster.postgres {
            Some(postgres) => Ok(Self::shared(Arc::new(PostgresCatalogue::new(postgres.clone())), state_dir)),
            None => Ok(Self::new(Arc::new(SqliteRegistry::open(&state_dir.join(FILE)).await?), None)),
        }
    }

    /// Like [`Self::open`], but a file that is not there is not made.
    pub async fn existing(state_dir: &Path, cluster: &ClusterConfig) -> Result<Option<Self>, CatalogueError> {
        if cluster.postgres.is_none() && !state_dir.join(FILE).exists() {
            return Ok(None);
        }
        Self::open(state_dir, cluster).await.map(Some)
    }

    /// A registry that several centrals share, which takes over what is in the state folder.
    #[must_use]
    pub fn shared(store: Arc<dyn AgentRegistry>, state_dir: &Path) -> Self {
        Self::new(store, Some(state_dir.join(FILE)))
    }

    fn new(store: Arc<dyn AgentRegistry>, before: Option<PathBuf>) -> Self {
        Self {
            store,
            known: Arc::default(),
            notes: Arc::default(),
            before: before.map(Arc::from),
            is_ready: Arc::default(),
        }
    }

    /// Whether other centrals use it too.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.before.is_some()
    }

    /// Takes over what there was, if that is to be done, and gives every agent. Nobody is let in before it
    /// has succeeded once.
    pub async fn prepare(&self) -> Result<Vec<Enrolled>, CatalogueError> {
        if let Some(before) = &self.before
            && !self.is_ready()
        {
            take_over::run(before, &*self.store).await?;
        }
        let agents = self.store.agents().await?;
        self.known.replace(&agents);
        self.is_ready.store(true, Ordering::Release);
        Ok(agents)
    }

    /// Whether the agent of this id may speak.
    pub async fn standing(&self, agent: &str) -> Result<Standing, CatalogueError> {
        let agents = self.ready()?.agents().await?;
        Ok(match agents.into_iter().find(|enrolled| enrolled.agent == agent) {
            None => Standing::Unknown,
            Some(enrolled) if enrolled.revoked_at.is_some() => Standing::Revoked,
            Some(enrolled) => Standing::Good(enrolled.project),
        })
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    fn ready(&self) -> Result<&dyn AgentRegistry, CatalogueError> {
        if self.is_ready() {
            return Ok(&*self.store);
        }
        let source = "it has not answered since this central started".into();
        Err(CatalogueError::Unavailable { backend: "registry", action: "ask for agents yet", source })
    }

    /// Keeps a new token.
    pub async fn add_token(&self, token: TokenInfo) -> Result<(), CatalogueError> {
        self.ready()?.add_token(token).await
    }

    /// What a token is good for, and its project.
    pub async fn token(
        &self,
        secret: &TokenSecret,
        now: UnixNanos,
    ) -> Result<(TokenState, String), CatalogueError> {
        let found = self.ready()?.token(SecretHash(*secret.as_bytes())).await?;
        Ok(found.map_or((TokenState::Unknown, String::new()), |token| (token.state(now), token.project)))
    }

    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, CatalogueError> {
        self.ready()?.tokens().await
    }

    /// Revokes the tokens whose id begins so; gives how many.
    pub async fn revoke_token(&self, id: &str, now: UnixNanos) -> Result<u64, CatalogueError> {
        self.ready()?.revoke_token(id, now).await
    }

    /// Enrols an agent with a token, unless the token is not good any more.
    pub async fn enrol(
        &self,
        secret: &TokenSecret,
        agent: Enrolment,
        now: UnixNanos,
    ) -> Result<bool, CatalogueError> {
        self.ready()?.enrol(SecretHash(*secret.as_bytes()), agent, now).await
    }

    /// The agent of a certificate; while the store is away, as it was known last.
    pub async fn agent(&self, certificate: CertificateHash) -> Result<Option<Enrolled>, CatalogueError> {
        let certificate = Fingerprint(certificate.0);
        let asked = async { self.ready()?.agent(certificate).await };
        tokio::pin!(asked);
        let said = match timeout(ANSWER_MAX, &mut asked).await {
            Ok(said) => said,
            Err(_) => match self.known.of(certificate) {
                Some(agent) => return Ok(Some(agent)),
                None => asked.await,
            },
        };
        match said {
            Ok(agent) => {
                self.known.note(certificate, agent.as_ref());
                Ok(agent)
            }
            Err(error @ CatalogueError::Unavailable { .. }) => {
                self.known.of(certificate).map(Some).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Every agent, the last seen first.
    pub async fn agents(&self) -> Result<Vec<Enrolled>, CatalogueError> {
        self.ready()?.agents().await
    }

    /// Lets an agent in no more. Gives whether there was such an agent that was not revoked yet.
    pub async fn revoke_agent(&self, agent: &str, now: UnixNanos) -> Result<bool, CatalogueError> {
        self.ready()?.revoke_agent(agent, now).await
    }

    /// Lets a revoked agent in again. Gives whether there was such an agent.
    pub async fn restore_agent(&self, agent: &str) -> Result<bool, CatalogueError> {
        self.ready()?.restore_agent(agent).await
    }

    /// Notes what an agent said, at once or when the store is back. Nobody waits for it for long.
    pub async fn seen(&self, note: AgentNote) {
        let noted = async { self.ready()?.note(vec![note.clone()]).await };
        if !matches!(timeout(ANSWER_MAX, noted).await, Ok(Ok(()))) {
            self.notes.keep(note);
        }
    }

    /// Writes what could not be noted before.
    async fn write_notes(&self) -> Result<(), CatalogueError> {
        while let Some(notes) = self.notes.take() {
            if let Err(error) = self.ready()?.note(notes.clone()).await {
                notes.into_iter().for_each(|note| self.notes.keep(note));
                return Err(error);
            }
        }
        Ok(())
    }
}
