//! `agents.db` of before a database was named: its agents go on without being enrolled anew.

use std::collections::HashSet;
use std::path::Path;

use goldentime_catalog::{AgentRegistry, CatalogueError, SqliteRegistry};

/// Has a registry that is empty take over what the file holds. The file stays as it is, and is read no more
/// once the registry is in use; that it holds agents which the registry does not know is told.
pub(super) async fn run(before: &Path, registry: &dyn AgentRegistry) -> Result<(), CatalogueError> {
    if !before.exists() {
        return Ok(());
    }
    let file = SqliteRegistry::open(before).await?;
    let everything = file.everything().await;
    file.close().await;
    let (tokens, agents) = everything?;
    if tokens.is_empty() && agents.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = agents.iter().map(|agent| agent.agent.clone()).collect();
    let (of_tokens, of_agents) = (tokens.len(), agents.len());
    if registry.import(tokens, agents).await? {
        tracing::info!(
            tokens = of_tokens,
            agents = of_agents,
            file = %before.display(),
            "the database of cluster.postgres took over join tokens and agents; the file is not used any more"
        );
        return Ok(());
    }
    let known: HashSet<String> = registry.agents().await?.into_iter().map(|agent| agent.agent).collect();
    let unknown = ids.iter().filter(|id| !known.contains(*id)).count();
    if unknown > 0 {
        tracing::warn!(
            agents = unknown,
            file = %before.display(),
            "this file holds agents that the database of cluster.postgres does not know, which was in use \
             already and took nothing over: enrol them anew with a join token, then remove the file"
        );
    }
    Ok(())
}
