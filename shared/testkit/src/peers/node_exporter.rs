//! Prometheus's node exporter, scraped each second as its users would to see what we see.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::http_client;
use crate::ports;
use crate::process::{Process, Program, find};
use crate::wait;

/// A running node exporter with someone who scrapes it each second.
pub struct NodeExporter {
    process: Process,
    _scraper: JoinSet<()>,
}

impl NodeExporter {
    /// Starts it with its default collectors.
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = ports::free_tcp();
        let mut process = Program::new("node-exporter", find("prometheus-node-exporter")?, folder)
            .args([format!("--web.listen-address=127.0.0.1:{port}")])
            .start()?;
        process
            .ready(Duration::from_secs(10), || async move {
                wait::until_listening("node exporter", port, Duration::ZERO).await.is_ok()
            })
            .await?;
        let mut scraper = JoinSet::new();
        scraper.spawn(async move {
            let (client, url) = (http_client(), format!("http://127.0.0.1:{port}/metrics"));
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
                if let Ok(answer) = client.get(&url).send().await {
                    let _ = answer.bytes().await;
                }
            }
        });
        Ok(Self { process, _scraper: scraper })
    }

    /// The process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }
}
