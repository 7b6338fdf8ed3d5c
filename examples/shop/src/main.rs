//! `goldentime-shop`: one service of the demo's application.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use goldentime_shop::access_log::AccessLog;
use goldentime_shop::catalog;
use goldentime_shop::service::{Neighbours, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// One service of the demo's shop.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Which service: storefront, order-api, payment-api, stock-api or user-api.
    service: String,
    /// Port on loopback.
    #[arg(long)]
    port: u16,
    /// Where a neighbour is reached, as NAME=URL. May be given several times.
    #[arg(long = "neighbour", value_name = "NAME=URL")]
    neighbours: Vec<String>,
    /// Write an access log here. Leave it out where nginx stands in front and writes its own.
    #[arg(long)]
    access_log: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    goldentime_runtime::logging::start("info", goldentime_runtime::logging::LogFormat::Text)
        .map_err(anyhow::Error::msg)?;
    // The client's TLS back end wants a provider, though the shop speaks plain HTTP on loopback.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let service = catalog::find(&arguments.service).with_context(|| {
        let known: Vec<_> = catalog::SERVICES.iter().map(|service| service.name).collect();
        format!("no service `{}`; there are {}", arguments.service, known.join(", "))
    })?;
    let urls = arguments
        .neighbours
        .iter()
        .map(|pair| {
            let (name, url) = pair.split_once('=').with_context(|| format!("`{pair}` is not NAME=URL"))?;
            Ok((name.to_owned(), url.to_owned()))
        })
        .collect::<Result<_>>()?;
    let access_log = arguments.access_log.as_deref().map(AccessLog::open).transpose()?;
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("port {} on loopback", arguments.port))?;
    let mut terminate = signal(SignalKind::terminate())?;
    serve(service, listener, Neighbours { urls }, access_log, async move {
        terminate.recv().await;
    })
    .await
}
