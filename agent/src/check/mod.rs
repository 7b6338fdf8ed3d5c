//! `goldentime-agent check`: what `run` would read and ship, without doing either. [`needs`] looks
//! whether `run` can start at all, [`kafka`] what the brokers say. For each input [`tail`] reads the end of its newest file through the
//! very parser and router that `run` uses; [`nginx`] looks for what makes logs late; [`host`] reads the
//! host once, and [`service`] says what of each service is found now. [`statsd`] says where it would
//! listen and what metrics would become.

mod host;
mod kafka;
mod needs;
mod nginx;
mod service;
mod statsd;
mod tail;

use std::io::{self, Write};

use goldentime_kafka::Topic;
use goldentime_model::config::{Check, Node};
use goldentime_model::exit::ExitCode;

use crate::config::Config;
use crate::inputs::route::Source;
use crate::memory;
use crate::ship::uplink::kafka::Config as KafkaConfig;

/// Project shown where the host is not enrolled yet: the central gives it with the certificate.
const PROJECT_UNKNOWN: &str = "default";

/// Writes the findings to `out`, each problem with its place in `places`, the tree that `config` was
/// read from. [`ExitCode::Usage`] when something keeps `run` from reading or shipping.
pub fn check(config: &Config, places: &Node, out: &mut impl Write) -> ExitCode {
    match (Checker { config, places, out, problems: 0 }).run() {
        Ok(0) => ExitCode::Ok,
        // Who listens has hung up, as `head` does: nothing is wrong with the agent.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Ok,
        Ok(_) => ExitCode::Usage,
        Err(_) => ExitCode::Failed,
    }
}

struct Checker<'a, W> {
    config: &'a Config,
    places: &'a Node,
    out: &'a mut W,
    problems: usize,
}

impl<W: Write> Checker<'_, W> {
    fn run(mut self) -> io::Result<usize> {
        let project = self.needs()?;
        self.memory()?;
        let nginx = nginx::access_logs();
        for (at, input) in self.config.inputs.tail.iter().enumerate() {
            let source = Source {
                project: project.clone(),
                environment: self.config.environment.clone(),
                service: input.service.clone(),
            };
            let (mut check, mut told) = (Check::new(), Ok(()));
            check.section(&format!("inputs.tail[{at}]"), |check| {
                told = tail::check(self.config, input, source, &nginx, check, self.out);
            });
            told?;
            self.problems("  ", check)?;
        }
        if self.config.inputs.statsd.enabled {
            let environment = self.config.environment.clone();
            let source = Source { project: project.clone(), environment, service: None };
            let (mut check, mut told) = (Check::new(), Ok(()));
            check.section("inputs.statsd", |check| {
                told = statsd::check(self.config, source, check, self.out);
            });
            told?;
            self.problems("  ", check)?;
        }
        let (mut check, mut told) = (Check::new(), Ok(()));
        check.section("inputs", |check| told = service::check(self.config, &project, check, self.out));
        told?;
        self.problems("  ", check)?;
        if self.config.inputs.host.enabled {
            host::check(self.config, self.out)?;
        } else if self.config.inputs.tail.is_empty()
            && !self.config.inputs.statsd.enabled
            && self.config.inputs.services.is_empty()
        {
            let message =
                "nothing would be read: name log files under `inputs.tail`, or enable `inputs.statsd`";
            self.problem("inputs", message)?;
        }
        match self.problems {
            0 => writeln!(self.out, "\neverything can be read")?,
            1 => writeln!(self.out, "\n1 problem")?,
            many => writeln!(self.out, "\n{many} problems")?,
        }
        Ok(self.problems)
    }

    /// Who this host is, and what `run` would stumble over before it reads. Gives the project.
    fn needs(&mut self) -> io::Result<String> {
        let central = self.config.central.addresses().join(", ");
        writeln!(self.out, "host {} in environment {}", self.config.host_name(), self.config.environment)?;
        let mut check = Check::new();
        let found = needs::needs(self.config, &mut check);
        match &found.identity {
            _ if !self.config.has_central() => writeln!(self.out, "no central: the clock is not corrected")?,
            Some(identity) => writeln!(
                self.out,
                "central {central}: enrolled as {} in project {}",
                identity.agent, identity.project
            )?,
            None if check.is_clean() => {
                writeln!(self.out, "central {central}: will be enrolled with the join token")?;
            }
            None => writeln!(self.out, "central {central}: not enrolled")?,
        }
        if let Some(kafka) = &self.config.kafka {
            let [deltas, logs] = [Topic::Deltas, Topic::Logs].map(|topic| topic.name(kafka));
            let brokers = kafka.connection.brokers.join(", ");
            write!(self.out, "Kafka {brokers}: records go to topics {deltas} and {logs}")?;
            match found.partitions {
                Some(partitions) => writeln!(self.out, ", {partitions} partitions each")?,
                None => writeln!(self.out)?,
            }
        }
        self.problems("", check)?;
        for advice in &found.advice {
            writeln!(self.out, "advice: {advice}")?;
        }
        let own = self.config.kafka.as_ref().filter(|_| !self.config.has_central());
        let unknown = || own.map_or(PROJECT_UNKNOWN, KafkaConfig::project).to_owned();
        Ok(found.identity.map_or_else(unknown, |identity| identity.project))
    }

    fn memory(&mut self) -> io::Result<()> {
        match memory::bounds(self.config) {
            Ok(bounds) => {
                let mib = bounds.iter().map(|bound| bound.bytes).sum::<u64>() >> 20;
                writeln!(self.out, "memory: at most {mib} MiB by the components' bounds")
            }
            Err(too_much) => self.problem("memory_bytes_max", &too_much.to_string()),
        }
    }

    fn problem(&mut self, setting: &str, message: &str) -> io::Result<()> {
        let mut check = Check::new();
        check.refuse(setting, message);
        self.problems("", check)
    }

    fn problems(&mut self, indent: &str, check: Check) -> io::Result<()> {
        for fault in check.into_faults(self.places).0 {
            self.problems += 1;
            let text = fault.to_string().replace('\n', &format!("\n{indent}"));
            writeln!(self.out, "{indent}PROBLEM: {text}")?;
        }
        Ok(())
    }
}
