//! Waiting for a state, with a bound.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};

/// Asks `state` every 20 ms until it gives something; fails after `limit`, naming `what`.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut state: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        if let Some(value) = state().await {
            return Ok(value);
        }
        if tokio::time::Instant::now() >= deadline {
            bail!("waited {:.1} s in vain for {what}", limit.as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until something accepts TCP connections on `port`.
pub async fn until_listening(what: &str, port: u16, limit: Duration) -> Result<()> {
    until(what, limit, || async move {
        tokio::net::TcpStream::connect(crate::ports::loopback(port)).await.ok().map(|_| ())
    })
    .await
}
