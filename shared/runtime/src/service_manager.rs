//! Word to systemd: ready, stopping, alive, and in one line what the program does (sd_notify(3)).
//!
//! A datagram to the socket that systemd names in the environment. Without one, as in a shell or a
//! container, all of it does nothing.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::{TaskKind, Tasks};

/// Names the socket; a leading `@` stands for the zero byte of the abstract name space.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Microseconds after which systemd gives up a program that says nothing.
const WATCHDOG: &str = "WATCHDOG_USEC";
/// Process that the watchdog waits for.
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// The service manager that started this program, if any. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names. One that cannot be reached is logged and then left alone:
    /// no word to it is worth not starting.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let Some(path) = variable(SOCKET) else { return Self::default() };
        let is_ours = variable(WATCHDOG_PROCESS).is_none_or(|pid| pid == std::process::id().to_string());
        let limit = variable(WATCHDOG).filter(|_| is_ours).and_then(|limit| limit.parse().ok());
        Self::at(&path, limit.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!(%error, path, "the socket of the service manager cannot be used");
            Self::default()
        })
    }

    /// The one that listens at `path` and expects a sign of life within `watchdog`.
    pub fn at(path: &str, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that does not read must not hold up the program.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(Arc::new(socket)), watchdog })
    }

    /// The program does its work: what waits for it may start.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The program was told to stop and does.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        self.say(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// Gives a sign of life often enough until the program begins to stop. A runtime whose workers all
    /// hang gives none, and is started again.
    pub fn watch(&self, tasks: &Tasks) {
        let Some(limit) = self.watchdog.filter(|limit| !limit.is_zero()) else { return };
        let manager = self.clone();
        tasks.spawn(TaskKind::Upkeep, "watchdog", async move {
            loop {
                manager.say("WATCHDOG=1");
                tokio::time::sleep(limit / 3).await;
            }
        });
    }

    fn say(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text.as_bytes())
        {
            tracing::debug!(%error, text, "the service manager was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 128];
        let length = socket.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_manager_hears_that_the_program_is_ready_and_stops() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        let manager = ServiceManager::at(&path.display().to_string(), None).expect("connected");
        manager.ready();
        manager.status("reads\nlogs");
        manager.stopping();
        assert_eq!(
            [heard(&socket), heard(&socket), heard(&socket)],
            ["READY=1", "STATUS=reads logs", "STOPPING=1"]
        );
    }

    #[test]
    fn a_name_in_the_abstract_space_is_a_socket_too() {
        let name = format!("goldentime-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("address");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        ServiceManager::at(&format!("@{name}"), None).expect("connected").ready();
        assert_eq!(heard(&socket), "READY=1");
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_come_until_the_program_stops() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        let limit = Duration::from_secs(60);
        let manager = ServiceManager::at(&path.display().to_string(), Some(limit)).expect("connected");
        let tasks = Tasks::new();
        manager.watch(&tasks);
        tokio::time::sleep(limit).await;
        tasks.drain(limit).await;
        socket.set_nonblocking(true).expect("set");
        let signs = std::iter::from_fn(|| socket.recv(&mut [0; 64]).ok()).count();
        assert!(signs >= 3, "{signs} signs of life within the limit");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        ServiceManager::default().ready();
    }
}
