//! Agents and join tokens in a PostgreSQL outside: taken over from the file, kept while it is away.

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{agent_until, central_command, central_until, further};
use goldentime_e2e::world::{FINE, World, restart};
use goldentime_testkit::programs::CentralConfig;
use goldentime_testkit::servers::postgres::{Postgres, USER};
use serde_json::Value;

fn keep_in(config: &mut CentralConfig, server: &Postgres, database: &str) {
    config.extra_yaml.push_str(&format!(
        "cluster:\n  postgres:\n    host: localhost\n    port: {}\n    database: {database}\n    user: {USER}\n    \
         password_file: {}\n    ca_file: {}\n    connect_timeout: 1s\n",
        server.address().port(),
        server.password_file().display(),
        server.authority().display()
    ));
}

fn failure(status: &Value) -> String {
    status["uplink"]["last_failure"].as_str().unwrap_or_default().to_owned()
}

/// Id of the only agent that the command line lists.
fn only_agent(config: &CentralConfig) -> Result<String> {
    let listed = central_command(&["agents", "list"], &config.file())?;
    ensure!(listed.lines().count() == 2, "{listed}");
    let id = listed.lines().nth(1).and_then(|line| line.split_whitespace().next());
    Ok(id.context(listed.clone())?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_a_file_go_on_in_the_database_and_stay_known_while_it_is_away() -> Result<()> {
    let mut server = Postgres::start().await?;
    let database = server.create_database().await?;
    let world = World::start(2, FINE).await?;
    let central = world.central(None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let token = central.join_token("default")?;
    let agent = world.agent(0, &address, &token)?.start()?;
    let _steady = world.steady(50.0);
    further(&agent).await?;
    let id = only_agent(&central.config)?;

    // The database takes over what the file holds, once: nobody is enrolled anew.
    let mut config = central.stop().await?;
    keep_in(&mut config, &server, &database);
    let central = config.start().await?;
    further(&agent).await?;
    ensure!(only_agent(&central.config)? == id);

    // Away: who is known may come again, who is not waits.
    server.kill9();
    let agent = agent.stop().await?.start()?;
    further(&agent).await?;
    let stranger = world.agent(1, &address, &token)?.start()?;
    let is_put_off = |status: &Value| failure(status).contains("registry of agents");
    agent_until(&stranger, "the central to put a new agent off", is_put_off).await?;

    // So it is with a central that starts meanwhile.
    let central = restart(central.kill9()).await?;
    further(&agent).await?;
    agent_until(&stranger, "the central to put a new agent off again", is_put_off).await?;

    server.restart().await?;
    further(&agent).await?;
    further(&stranger).await?;
    central_until(&central, "/api/v1/status", "both agents", |s| s["agents"]["connected"] == 2).await?;

    let file = central.config.file();
    ensure!(central_command(&["agents", "revoke", &id], &file)?.contains(&id));
    let is_out = |status: &Value| failure(status).contains("revoked");
    agent_until(&agent, "the revoked agent to be cut off", is_out).await?;
    central.stop().await?;
    Ok(())
}
