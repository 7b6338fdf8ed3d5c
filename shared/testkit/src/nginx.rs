//! A real nginx in a temporary folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::process::{Process, Program, find};
use crate::wait;

/// The `log_format` that the tests, benchmarks and the demo use; also what the README recommends.
pub const LOG_FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" rt=$request_time msec=$msec"#;

/// One `server` of the configuration.
pub struct Site {
    /// Port on loopback.
    pub port: u16,
    /// Access log; each worker appends whole lines.
    pub access_log: PathBuf,
    /// What stands inside `server { … }`: locations, `proxy_pass`.
    pub body: String,
}

/// A running nginx.
pub struct Nginx {
    process: Process,
    folder: PathBuf,
}

impl Nginx {
    /// Starts nginx with these sites, its files under `folder`.
    pub async fn start(folder: &Path, sites: &[Site]) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        std::fs::write(folder.join("nginx.conf"), configuration(folder, sites))?;
        let mut process = Program::new("nginx", find("nginx")?, folder)
            .args(["-p".into(), folder.as_os_str().to_owned(), "-c".into(), folder.join("nginx.conf").into()])
            .start()?;
        for site in sites {
            let port = site.port;
            process
                .ready(Duration::from_secs(10), || async move {
                    wait::until_listening("nginx", port, Duration::ZERO).await.is_ok()
                })
                .await?;
        }
        Ok(Self { process, folder: folder.to_owned() })
    }

    /// Opens its log files anew, as logrotate asks it to after a rename.
    pub fn reopen_logs(&self) -> Result<()> {
        self.process.signal(Signal::USR1)
    }

    /// Takes new sites without dropping a connection.
    pub fn reload(&self, sites: &[Site]) -> Result<()> {
        std::fs::write(self.folder.join("nginx.conf"), configuration(&self.folder, sites))?;
        self.process.signal(Signal::HUP)
    }

    /// Ends it after the requests in flight.
    pub async fn stop(mut self) -> Result<()> {
        self.process.signal(Signal::QUIT)?;
        self.process.ended(Duration::from_secs(10)).await?;
        Ok(())
    }
}

fn configuration(folder: &Path, sites: &[Site]) -> String {
    let root = folder.display();
    let mut text = format!(
        "daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off; keepalive_requests 1000000; proxy_http_version 1.1;\n\
         \x20 proxy_set_header Connection \"\"; proxy_read_timeout 5s;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "  {kind}_temp_path {root}/{kind};");
    }
    let _ = writeln!(text, "  log_format goldentime '{LOG_FORMAT}';");
    for site in sites {
        let (port, log) = (site.port, site.access_log.display());
        let _ = writeln!(
            text,
            "  server {{ listen 127.0.0.1:{port} reuseport backlog=4096; access_log {log} goldentime;\n    {}\n  }}",
            site.body
        );
    }
    text.push_str("}\n");
    text
}
