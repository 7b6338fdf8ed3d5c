//! Asks a running agent.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::report::Report;
use super::socket::{ASK_METRICS, ASK_STATUS};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Largest answer taken.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no agent answers on {}: is it running, with this state directory?", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The socket belongs to somebody else.
    #[error("no permission to ask on {}: run this as the agent's user or as root", path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The agent began to answer and did not end.
    #[error("the agent did not answer in time")]
    Unanswered(#[source] io::Error),
    /// The answer is of another version.
    #[error("the agent's answer cannot be read: is the running agent of another version than this program?")]
    Unreadable(#[source] serde_json::Error),
}

/// The agent's report.
pub fn report(socket: &Path) -> Result<Report, AskError> {
    serde_json::from_str(&ask(socket, ASK_STATUS)?).map_err(AskError::Unreadable)
}

/// The agent's metrics in Prometheus's text form.
pub fn metrics(socket: &Path) -> Result<String, AskError> {
    ask(socket, ASK_METRICS)
}

fn ask(socket: &Path, question: &str) -> Result<String, AskError> {
    let mut stream = UnixStream::connect(socket).map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => AskError::Forbidden { path: socket.to_path_buf() },
        _ => AskError::NotRunning { path: socket.to_path_buf(), source },
    })?;
    let mut exchange = || {
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        writeln!(stream, "{question}")?;
        let mut answer = String::new();
        (&stream).take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    };
    exchange().map_err(AskError::Unanswered)
}
