//! The receiver of pages: a webhook on loopback that prints what arrives, with its stage times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use goldentime_model::{StageTimes, UnixNanos};
use goldentime_runtime::{Clock, SystemClock};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Width of the bar of a stage, in characters for the longest one.
const BAR_WIDTH: f64 = 32.0;
/// Pages that wait to be printed.
const PAGES_MAX: usize = 256;

/// A page as it arrived.
#[derive(Debug)]
pub struct Page {
    /// Its alerts.
    pub alerts: Vec<PagedAlert>,
    /// When the receiver had read it.
    pub arrived: UnixNanos,
}

/// One alert of a page: Alertmanager's webhook form with Goldentime's own part.
#[derive(Debug, Deserialize)]
pub struct PagedAlert {
    /// `firing` or `resolved`.
    pub status: String,
    /// What identifies it.
    pub labels: goldentime_model::Labels,
    /// What describes it.
    pub annotations: goldentime_model::Labels,
    /// Goldentime's own part.
    pub goldentime: OwnPart,
}

/// What Alertmanager's form has no place for.
#[derive(Debug, Deserialize)]
pub struct OwnPart {
    /// When the fact passed each station.
    stages: BTreeMap<String, jiff::Timestamp>,
}

impl OwnPart {
    /// The stations passed until the page was sent.
    #[must_use]
    pub fn stage_times(&self) -> StageTimes {
        let at = |stage: &str| {
            let nanos = self.stages.get(stage)?.as_nanosecond();
            i64::try_from(nanos).ok().map(UnixNanos)
        };
        StageTimes {
            occurred: at("occurred"),
            flushed: at("flushed"),
            received: at("received"),
            merged: at("merged"),
            evaluated: at("evaluated"),
            dispatched: at("dispatched"),
            ..StageTimes::default()
        }
    }
}

#[derive(Deserialize)]
struct Body {
    alerts: Vec<PagedAlert>,
}

/// A running receiver.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    /// What arrives.
    pub pages: mpsc::Receiver<Page>,
    _server: JoinSet<()>,
}

/// Listens on a free port.
pub async fn receive() -> Result<Receiver> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = format!("http://{}/page", listener.local_addr()?);
    let (sender, pages) = mpsc::channel(PAGES_MAX);
    let router = Router::new().route("/page", post(take)).with_state(sender);
    let mut server = JoinSet::new();
    server.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the receiver of pages ended");
        }
    });
    Ok(Receiver { url, pages, _server: server })
}

async fn take(
    State(pages): State<mpsc::Sender<Page>>,
    body: axum::body::Bytes,
) -> Result<StatusCode, (StatusCode, String)> {
    let arrived = SystemClock.now();
    let body: Body = serde_json::from_slice(&body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("not a page: {error}")))?;
    let sent = pages.try_send(Page { alerts: body.alerts, arrived });
    sent.map(|()| StatusCode::OK).map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

impl PagedAlert {
    /// The value of a label, empty where there is none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The alert as a few lines for a terminal, with a bar for each stage.
    pub fn render(&self, arrived: UnixNanos) -> Result<String> {
        let mut text = format!(
            "{}  {}  {} of {}\n",
            self.status.to_uppercase(),
            self.label("severity"),
            self.label("alertname"),
            self.label("service")
        );
        if let Some(summary) = self.annotations.get("summary") {
            writeln!(text, "  {summary}")?;
        }
        let mut stages = self.goldentime.stage_times();
        stages.delivered = Some(arrived);
        if self.status == "firing" {
            text.push_str(&bars(&stages)?);
        }
        Ok(text)
    }
}

/// One line a stage: name, milliseconds since the stage before, bar.
fn bars(stages: &StageTimes) -> Result<String> {
    let passed: Vec<_> = stages.in_order().into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
    let steps: Vec<(&str, f64)> =
        passed.windows(2).map(|pair| (pair[1].0, pair[1].1.since(pair[0].1) as f64 / 1e6)).collect();
    let longest = steps.iter().map(|(_, ms)| *ms).fold(1.0, f64::max);
    let mut text = String::new();
    for (name, ms) in &steps {
        let width = (ms.max(0.0) / longest * BAR_WIDTH).round() as usize;
        writeln!(text, "    {name:<11}{ms:>8.1} ms  {}", "█".repeat(width))?;
    }
    let total = stages.golden_time_ms().context("a firing page without the time of its request")?;
    writeln!(text, "    request to page{total:>4.0} ms")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_each_stage_and_the_whole_time() {
        let at = |ms: i64| Some(UnixNanos::from_millis(1_000_000 + ms));
        let stages = StageTimes {
            occurred: at(0),
            flushed: at(8),
            received: at(10),
            merged: at(11),
            evaluated: at(11),
            dispatched: at(12),
            delivered: at(20),
            occurred_is_coarse: false,
        };
        let text = bars(&stages).expect("complete");
        assert!(text.contains("flushed         8.0 ms"), "{text}");
        assert!(text.contains("request to page  20 ms"), "{text}");
    }
}
