//! One service: answers its routes by working a little and asking others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use goldentime_runtime::{Clock, SystemClock};
use rand::Rng;
use tokio::net::TcpListener;

use crate::access_log::AccessLog;
use crate::catalog::{Route, Service};
use crate::fault::{Fault, Switch};

/// How wide the lognormal tail of a route's own work is.
const WORK_SIGMA: f64 = 0.4;

/// What a service needs to know of the others.
pub struct Neighbours {
    /// Base URL of each service, by name.
    pub urls: std::collections::BTreeMap<String, String>,
}

struct Running {
    service: &'static Service,
    neighbours: Neighbours,
    client: reqwest::Client,
    switch: Switch,
    access_log: Option<AccessLog>,
}

/// Serves until `stop` resolves, then finishes the requests in flight.
pub async fn serve(
    service: &'static Service,
    listener: TcpListener,
    neighbours: Neighbours,
    access_log: Option<AccessLog>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let running = Arc::new(Running { service, neighbours, client, switch: Switch::default(), access_log });
    let router = Router::new()
        .fallback(answer)
        .layer(middleware::from_fn_with_state(Arc::clone(&running), log_access))
        .route("/_fault", get(fault).put(set_fault))
        .with_state(running);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.context("HTTP server")
}

async fn fault(State(running): State<Arc<Running>>) -> axum::Json<Fault> {
    axum::Json(running.switch.get())
}

async fn set_fault(
    State(running): State<Arc<Running>>,
    axum::Json(fault): axum::Json<Fault>,
) -> Result<StatusCode, (StatusCode, &'static str)> {
    running.switch.set(fault).map_err(|reason| (StatusCode::UNPROCESSABLE_ENTITY, reason))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn log_access(State(running): State<Arc<Running>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    let response = next.run(request).await;
    if let Some(log) = &running.access_log {
        let status = response.status().as_u16();
        if let Err(error) = log.write(SystemClock.now(), method.as_str(), &path, status, began.elapsed()) {
            tracing::error!(%error, "a request is missing from the access log");
        }
    }
    response
}

async fn answer(State(running): State<Arc<Running>>, request: Request) -> Response {
    let Some(route) = running.service.route(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let fault = running.switch.get();
    let (work, fails) = roll(route, fault);
    tokio::time::sleep(work).await;
    if fails {
        return (StatusCode::INTERNAL_SERVER_ERROR, "fault injected").into_response();
    }
    for (callee, path) in route.calls {
        if let Err(response) = call(&running, callee, path).await {
            return response;
        }
    }
    (StatusCode::OK, running.service.name).into_response()
}

/// How long this request works, and whether it fails.
fn roll(route: &Route, fault: Fault) -> (Duration, bool) {
    let mut rng = rand::rng();
    // Irwin–Hall: the sum of twelve uniform numbers less six is close to a standard normal.
    let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let own = Duration::from_secs_f64(route.work_ms / 1000.0 * (WORK_SIGMA * normal).exp());
    let is_slow = fault.slow_share == 0.0 || rng.random::<f64>() < fault.slow_share;
    let extra = Duration::from_millis(if is_slow { fault.slow_ms } else { 0 });
    (own + extra, rng.random::<f64>() < fault.errors)
}

/// Asks a neighbour; what it answers badly becomes our own bad gateway.
async fn call(running: &Running, callee: &str, path: &str) -> Result<(), Response> {
    let Some(url) = running.neighbours.urls.get(callee) else {
        return Err((StatusCode::BAD_GATEWAY, format!("{callee} has no address")).into_response());
    };
    match running.client.get(format!("{url}{path}")).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => {
            Err((StatusCode::BAD_GATEWAY, format!("{callee} answered {}", answer.status())).into_response())
        }
        Err(error) if error.is_timeout() => Err(StatusCode::GATEWAY_TIMEOUT.into_response()),
        Err(error) => Err((StatusCode::BAD_GATEWAY, format!("{callee}: {error}")).into_response()),
    }
}
