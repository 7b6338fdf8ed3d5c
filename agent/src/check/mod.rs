//! `goldentime-agent check`: what `run` would read and ship, without doing either. For each input it
//! reads the end of its newest file ([`tail`]) through the very parser and router that `run` uses;
//! [`nginx`] looks for what makes logs late.

mod nginx;
mod tail;

use std::io::{self, Write};

use goldentime_model::exit::ExitCode;
use goldentime_transport::identity::Identity;

use crate::config::Config;
use crate::inputs::route::Source;
use crate::memory;

/// Project shown where the host is not enrolled yet: the central gives it with the certificate.
const PROJECT_UNKNOWN: &str = "default";

/// Writes the findings to `out`. [`ExitCode::Failed`] when something keeps `run` from reading or
/// shipping.
pub fn check(config: &Config, out: &mut impl Write) -> ExitCode {
    match Checker::new(config, out).run() {
        Ok(0) => ExitCode::Ok,
        // Who listens has hung up, as `head` does: nothing is wrong with the agent.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Ok,
        Ok(_) | Err(_) => ExitCode::Failed,
    }
}

struct Checker<'a, W> {
    config: &'a Config,
    out: &'a mut W,
    problems: usize,
}

impl<'a, W: Write> Checker<'a, W> {
    fn new(config: &'a Config, out: &'a mut W) -> Self {
        Self { config, out, problems: 0 }
    }

    fn run(mut self) -> io::Result<usize> {
        let project = self.identity()?;
        self.memory()?;
        let nginx = nginx::access_logs();
        for input in &self.config.inputs.tail {
            let source = Source {
                project: project.clone(),
                environment: self.config.environment.clone(),
                service: input.service.clone(),
            };
            self.problems += tail::check(self.config, input, source, &nginx, self.out)?;
        }
        if self.config.inputs.host.enabled {
            let (name, interval) = (self.config.host_name(), self.config.inputs.host.interval);
            writeln!(self.out, "\nhost: saturation every {interval}, as the service `host:{name}`")?;
        } else if self.config.inputs.tail.is_empty() {
            self.problem("nothing would be read: name log files under `inputs.tail`")?;
        }
        match self.problems {
            0 => writeln!(self.out, "\neverything can be read")?,
            1 => writeln!(self.out, "\n1 problem")?,
            many => writeln!(self.out, "\n{many} problems")?,
        }
        Ok(self.problems)
    }

    fn identity(&mut self) -> io::Result<String> {
        let central = &self.config.central;
        writeln!(self.out, "host {} in environment {}", self.config.host_name(), self.config.environment)?;
        match Identity::load(&self.config.state_dir) {
            Ok(Some(identity)) => {
                writeln!(
                    self.out,
                    "central {}: enrolled as {} in project {}",
                    central.address, identity.agent, identity.project
                )?;
                return Ok(identity.project);
            }
            Ok(None) if central.join_token.is_some() || central.join_token_file.is_some() => {
                writeln!(self.out, "central {}: will be enrolled with the join token", central.address)?;
            }
            Ok(None) => {
                writeln!(self.out, "central {}", central.address)?;
                self.problem("not enrolled, and no join token: set `central.join_token_file`")?;
            }
            Err(error) => self.problem(&format!("{error}"))?,
        }
        Ok(PROJECT_UNKNOWN.to_owned())
    }

    fn memory(&mut self) -> io::Result<()> {
        match memory::bounds(self.config) {
            Ok(bounds) => {
                let mib = bounds.iter().map(|bound| bound.bytes).sum::<u64>() >> 20;
                writeln!(self.out, "memory: at most {mib} MiB by the components' bounds")
            }
            Err(too_much) => self.problem(&too_much.to_string()),
        }
    }

    fn problem(&mut self, text: &str) -> io::Result<()> {
        self.problems += 1;
        writeln!(self.out, "PROBLEM: {text}")
    }
}
