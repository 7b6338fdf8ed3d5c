//! Answers on a Unix socket: a line with a question, then the answer until the end.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_runtime::self_metrics::SelfMetrics;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::report::Sources;

/// Asks for the report as JSON.
pub const ASK_STATUS: &str = "status";
/// Asks for the metrics in Prometheus's text form.
pub const ASK_METRICS: &str = "metrics";

/// Longest question.
const QUESTION_BYTES_MAX: u64 = 64;

/// One question is answered at a time, so that nobody can make the agent gather reports in parallel;
/// one who does not ask or listen is cut off after this.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Only the agent's user and group may ask.
const SOCKET_MODE: u32 = 0o660;

/// The socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}", path.display())]
pub struct SocketError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Listens on `path`. A socket left by an agent that was killed is replaced: the caller holds the
/// state directory's lock, so nobody else uses it.
pub fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    let bound = || {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
        Ok(listener)
    };
    bound().map_err(|source| SocketError { path: path.to_path_buf(), source })
}

/// Answers until dropped.
pub async fn serve(listener: UnixListener, sources: Sources, metrics: SelfMetrics) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Who hangs up or takes too long has no answer; there is nobody to tell.
        let _ = tokio::time::timeout(ANSWER_MAX, answer(stream, &sources, &metrics)).await;
    }
}

async fn answer(mut stream: UnixStream, sources: &Sources, metrics: &SelfMetrics) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut question = String::new();
    BufReader::new(reading.take(QUESTION_BYTES_MAX)).read_line(&mut question).await?;
    let answer = match question.trim() {
        ASK_STATUS => serde_json::to_string(&sources.report().await)?,
        ASK_METRICS => metrics.render(),
        _ => format!("ask `{ASK_STATUS}` or `{ASK_METRICS}`\n"),
    };
    writing.write_all(answer.as_bytes()).await?;
    writing.shutdown().await
}
