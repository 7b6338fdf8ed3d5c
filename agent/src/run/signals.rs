//! What the machine's signals ask for.

use std::convert::Infallible;
use std::path::Path;

use goldentime_runtime::ServiceManager;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::reload;

/// Those that are listened to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Cancels `stop` at the first SIGTERM or SIGINT, and checks the configuration in `file` again at
    /// each SIGHUP. Never returns.
    pub(super) async fn serve(
        &mut self,
        stop: &CancellationToken,
        manager: &ServiceManager,
        file: &Path,
        config: &Config,
    ) -> Infallible {
        let asked = || {
            manager.stopping();
            stop.cancel();
        };
        loop {
            tokio::select! {
                _ = self.terminate.recv() => asked(),
                _ = self.interrupt.recv() => asked(),
                _ = self.hangup.recv() => reload::check_again(file, config),
            }
        }
    }
}
