//! Agents whose state is put back to an older copy, as a restored snapshot of their machine does.
//!
//! What such an agent read since the copy it reads again, and nothing tells those requests from others: they are
//! counted twice, and the agents page shows how many. What is exact is the rest: nothing is lost, other hosts have
//! nothing to do with it, and what is shown is what was counted twice, but for what the agent had flushed since the
//! central heard of it last.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::wait;
use serde_json::Value;
use tempfile::TempDir;

use crate::ask::PATIENCE;
use crate::counts::{Counted, counted, mark, window, without_backlog, written};
use crate::history;
use crate::world::{Host, World};

/// The request that each host is asked for last.
const LAST: (&str, &str) = ("GET", "/settled");

/// A state folder as it was at one instant.
#[derive(Debug)]
pub struct StateCopy(TempDir);

impl StateCopy {
    /// Copies an agent's state while it runs. It stands still meanwhile, for a snapshot shows one instant.
    pub fn of(agent: &Agent) -> Result<Self> {
        let copy = tempfile::tempdir()?;
        agent.pause(true)?;
        let copied = files(&agent.config.state_dir())
            .and_then(|files| files.iter().try_for_each(|file| copy_into(file, copy.path())));
        agent.pause(false)?;
        copied.map(|()| Self(copy))
    }
}

/// What is known of agents that were put back, by host.
#[derive(Debug, Default)]
pub struct Restored {
    /// Requests that may have been flushed since a central had heard of them last, at most.
    unheard: BTreeMap<String, u64>,
}

impl Restored {
    /// Whether none was put back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unheard.is_empty()
    }

    pub(crate) async fn put_back(
        &mut self,
        agent: &mut Agent,
        copy: &StateCopy,
        host: &Host,
        centrals: &[Central],
    ) -> Result<()> {
        let mut heard = 0;
        for central in centrals {
            heard = heard.max(flushed(central, &host.name, "requests").await?);
        }
        agent.crash();
        // One request is one line, and one line is read once in what the state has seen.
        let lines = read_access_log(&host.log)?.len() as u64;
        let unheard = lines.checked_sub(heard);
        let unheard = unheard.with_context(|| format!("{heard} requests flushed, {lines} lines written"))?;
        *self.unheard.entry(host.name.clone()).or_default() += unheard;
        for file in files(&agent.config.state_dir())? {
            std::fs::remove_file(file)?;
        }
        for file in files(copy.0.path())? {
            copy_into(&file, &agent.config.state_dir())?;
        }
        agent.revive()
    }

    /// Fails unless every request was counted, and what was counted twice is shown as that.
    pub(crate) async fn assert_shown(&self, world: &World, centrals: &[Central]) -> Result<()> {
        without_backlog(world).await?;
        mark(world).await?;
        let expected = written(world)?.0;
        for central in centrals {
            let name = central.config.folder.display().to_string();
            let seen = settled(world, central, &expected).await.with_context(|| name.clone())?;
            for (host, (requests, errors)) in &expected.hosts {
                let of_host = seen.hosts.get(host).copied().unwrap_or_default();
                let twice = of_host.0.checked_sub(*requests).context("requests were lost")?;
                let errors_twice = of_host.1.checked_sub(*errors).context("errors were lost")?;
                let about = self.unheard.get(host).copied().unwrap_or_default();
                println!("{host}: {twice} requests counted twice, {errors_twice} of them errors");
                ensure!(errors_twice <= twice, "{errors_twice} errors among {twice} requests");
                let is_shown = async || {
                    let shown = flushed(central, host, "maybe_twice").await.ok()?;
                    (shown.abs_diff(twice) <= about).then_some(())
                };
                let shown = wait::until("what was counted twice to be shown", PATIENCE, is_shown).await;
                shown.with_context(|| format!("{name}, {host}: {twice} twice, to within {about}"))?;
            }
            history::assert_holds(world, central, &seen).await.with_context(|| name)?;
        }
        Ok(())
    }
}

/// What a central counted once each host's last request is there: it is counted after all that was read before.
async fn settled(world: &World, central: &Central, expected: &Counted) -> Result<Counted> {
    let last = (LAST.0.to_owned(), LAST.1.to_owned());
    let whole = wait::until("the last requests to be counted", PATIENCE, async || {
        let seen = counted(&window(world, central).await.ok()?);
        (seen.endpoints.get(&last) >= expected.endpoints.get(&last)).then_some(seen)
    });
    let seen = whole.await?;
    let held = wait::until("history to hold them", PATIENCE, async || {
        history::assert_holds(world, central, &seen).await.ok()
    });
    held.await.map(|()| seen)
}

/// What the agents page says of a host's agent about what it flushed.
async fn flushed(central: &Central, host: &str, what: &str) -> Result<u64> {
    let agents = central.get("/api/v1/agents").await?;
    let agents = agents.as_array().context("agents")?;
    let agent = agents.iter().find(|agent| agent["host"] == host);
    let said = agent.map_or(&Value::Null, |agent| &agent["flushed"][what]);
    said.as_u64().with_context(|| format!("no `flushed.{what}` of {host} in {agents:?}"))
}

/// The files of a folder; a socket is none.
fn files(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_file()).collect())
}

fn copy_into(file: &std::path::Path, folder: &std::path::Path) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, folder.join(name)).with_context(|| file.display().to_string())?;
    Ok(())
}
