//! Who an agent is that no central has enrolled: a random id, made once and kept in the state folder.

use std::io;
use std::path::{Path, PathBuf};

use goldentime_transport::private_file;

use crate::ship::outgoing::StreamId;

/// File of the id within the state folder.
const FILE: &str = "agent-id";

/// Digits of an id.
const DIGITS: usize = 2 * StreamId::BYTES;

/// Why there is no id.
#[derive(Debug, thiserror::Error)]
pub enum AgentIdError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the agent's id in {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} holds no agent's id, which has {DIGITS} hexadecimal digits; remove it, and the agent gives \
         itself a new one",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random numbers.
    #[error("cannot make an id for this agent")]
    Random(#[source] getrandom::Error),
}

/// The id in `state_dir`; `None` where there is none yet.
pub fn kept_agent_id(state_dir: &Path) -> Result<Option<String>, AgentIdError> {
    let path = state_dir.join(FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(AgentIdError::File { doing: "read", path, source }),
    };
    let text = text.trim_ascii();
    let is_id = text.len() == DIGITS && text.iter().all(u8::is_ascii_hexdigit);
    match str::from_utf8(text) {
        Ok(id) if is_id => Ok(Some(id.to_owned())),
        _ => Err(AgentIdError::Corrupt { path }),
    }
}

/// The id in `state_dir`, made where there is none yet.
pub fn agent_id(state_dir: &Path) -> Result<String, AgentIdError> {
    if let Some(kept) = kept_agent_id(state_dir)? {
        return Ok(kept);
    }
    let id = StreamId::random().map_err(AgentIdError::Random)?.to_string();
    let path = state_dir.join(FILE);
    private_file::write(&path, format!("{id}\n").as_bytes()).map_err(|source| AgentIdError::File {
        doing: "write",
        path,
        source,
    })?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_keeps_the_id_that_it_gave_itself() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(kept_agent_id(folder.path()).expect("looked"), None);
        let id = agent_id(folder.path()).expect("made");
        assert_eq!(agent_id(folder.path()).expect("kept"), id);
        let other = tempfile::tempdir().expect("folder");
        assert_ne!(agent_id(other.path()).expect("made"), id);
    }

    #[test]
    fn a_file_with_something_else_is_told_with_the_way_out() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join(FILE), "web-1\n").expect("written");
        let told = agent_id(folder.path()).expect_err("no id").to_string();
        assert!(told.contains("agent-id") && told.contains("remove it"), "{told}");
    }
}
