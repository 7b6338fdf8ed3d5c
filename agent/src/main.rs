//! The agent's program: reads its arguments and configuration, and does one of its commands.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use goldentime_agent::config::{Config, DEFAULT_FILE};
use goldentime_agent::ship::uplink::quic::IdentityFailure;
use goldentime_agent::status::client;
use goldentime_agent::status::page::Page;
use goldentime_agent::{memory, run};
use goldentime_model::config::Faults;
use goldentime_model::exit::ExitCode;
use goldentime_runtime::{logging, manual};

/// Worker threads: one for inputs' bookkeeping and flushes, one so that a slow disk delays no ping.
const WORKERS: usize = 2;

/// Stack of a thread; nothing here recurses deeply.
const STACK_BYTES: usize = 1 << 20;

/// Reads logs and host metrics, folds them into one-second sketches and ships them to a central or to Kafka.
#[derive(Parser)]
#[command(name = "goldentime-agent", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads and ships until it is told to stop (SIGTERM or Ctrl-C). SIGHUP checks the configuration
    /// again and logs what is wrong with it, or which settings wait for a restart.
    Run(ConfigArgument),
    /// Says what `run` would read and ship, without reading on or shipping anything, and what would keep
    /// it from that: then the exit code is 2. Ask as the agent's user or as root.
    Check(ConfigArgument),
    /// Asks the running agent how it is doing.
    Status {
        #[command(flatten)]
        config: ConfigArgument,
        /// Prints the whole report as JSON.
        #[arg(long, conflicts_with = "metrics")]
        json: bool,
        /// Prints the agent's metrics about itself in Prometheus's text form.
        #[arg(long)]
        metrics: bool,
    },
    /// About the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Prints what a shell needs to complete this program's commands.
    Completions {
        /// Which shell.
        shell: manual::Shell,
    },
    /// Writes manual pages and completions, for packages.
    #[command(hide = true)]
    Manual {
        /// Stands for /usr/share.
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Prints the manual page of `agent.yaml` in Markdown.
    Reference,
    /// Checks the configuration as `run` would load it. Exit code 2 when it is wrong.
    Check(ConfigArgument),
}

#[derive(clap::Args)]
struct ConfigArgument {
    /// The configuration's file; `agent.d/` beside it is laid over it.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(argument) => {
            load(&argument).map_or_else(|code| code, |config| run_agent(config, &argument.config))
        }
        Command::Check(argument) => check_config(&argument),
        Command::Status { config, json, metrics } => {
            load(&config).map_or_else(|code| code, |config| show_status(&config, json, metrics))
        }
        Command::Config { command: ConfigCommand::Reference } => {
            print(&goldentime_agent::config::reference())
        }
        Command::Config { command: ConfigCommand::Check(argument) } => {
            load(&argument).map_or_else(|code| code, |config| check_bounds(&config))
        }
        Command::Completions { shell } => {
            let written = manual::completions(Arguments::command(), shell, &mut std::io::stdout().lock());
            done("completions", written)
        }
        Command::Manual { folder } => done("manual", manual::write_all(&Arguments::command(), &folder)),
    }
}

fn load(argument: &ConfigArgument) -> Result<Config, ExitCode> {
    Config::load(&argument.config).map_err(refused)
}

fn refused(faults: Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::Usage
}

fn run_agent(config: Config, file: &Path) -> ExitCode {
    goldentime_runtime::make_files_private();
    if let Err(error) = logging::start(&config.logging.level, config.logging.format.into()) {
        eprintln!("logging.level: {error}");
        return ExitCode::Usage;
    }
    if let Err(too_much) = memory::bounds(&config) {
        eprintln!("{too_much}");
        return ExitCode::Usage;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_stack_size(STACK_BYTES)
        .thread_name("agent")
        .enable_all()
        .build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(run::run(config, file));
        // Everything of ours has ended in order. What is left at most is a thread that waits for the
        // system, such as for a name server that does not answer: a stop does not wait with it.
        runtime.shutdown_background();
        ended
    });
    ended.unwrap_or_else(|error| {
        tracing::error!(error = AsRef::<dyn Error>::as_ref(&error), "the agent ends");
        match error.downcast_ref::<IdentityFailure>() {
            Some(failure) if failure.is_configuration() => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    })
}

fn show_status(config: &Config, json: bool, metrics: bool) -> ExitCode {
    let socket = config.socket();
    let text = if metrics {
        client::metrics(&socket)
    } else {
        client::report(&socket).and_then(|report| {
            if json {
                serde_json::to_string_pretty(&report).map_err(client::AskError::Unreadable)
            } else {
                Ok(Page(&report).to_string())
            }
        })
    };
    match text {
        Ok(text) => print(&text),
        Err(error) => {
            eprintln!("goldentime-agent: {:#}", anyhow::Error::from(error));
            ExitCode::Failed
        }
    }
}

/// What `run` refuses before it does anything, beside what loading refuses.
fn check_bounds(config: &Config) -> ExitCode {
    match memory::bounds(config) {
        Ok(_) => print("the configuration is valid"),
        Err(too_much) => {
            eprintln!("{too_much}");
            ExitCode::Usage
        }
    }
}

fn done(what: &str, written: std::io::Result<()>) -> ExitCode {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("goldentime-agent {what}: {error}");
            ExitCode::Failed
        }
        _ => ExitCode::Ok,
    }
}

fn check_config(argument: &ConfigArgument) -> ExitCode {
    match Config::load_with_places(&argument.config) {
        Ok((config, places)) => {
            goldentime_agent::check::check(&config, &places, &mut std::io::stdout().lock())
        }
        Err(faults) => refused(faults),
    }
}

/// Prints to a reader that may hang up, such as `head`.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::Failed,
        _ => ExitCode::Ok,
    }
}
