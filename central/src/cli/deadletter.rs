//! `goldentime-central deadletter`.

use clap::{ArgGroup, Args, Subcommand};
use goldentime_model::units::HumanDuration;

use super::ConfigArgs;

/// Letters of a list unless told otherwise.
const LISTED: &str = "50";

/// Dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadletterCommand {
    /// Lists them, newest first, with the reason.
    List(ListArgs),
    /// Shows one, with what is in it.
    Show(ShowArgs),
    /// Has the running central give letters back to where they would have gone: a refused record is checked again
    /// and counted as if an agent had sent it, a rejected log line goes to the log store again.
    ///
    /// Each letter counts once, also if this command or the central is killed in between: ask for the same letters
    /// again. What was given back stays listed under `--replayed` until it is too old; what is refused again stays a
    /// dead letter, with its new reason, and makes the exit code 1.
    Replay(ReplayArgs),
}

/// Which letters.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArgs {
    /// Only those of this reason, such as `partition`; `--summary` of the list shows all reasons.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those of this agent (its id) or host (its name).
    #[arg(long, value_name = "ID|HOST")]
    pub agent: Option<String>,
    /// Only those that were refused since then, such as `2h`.
    #[arg(long, value_name = "DURATION")]
    pub since: Option<HumanDuration>,
}

/// What to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Also those that were replayed.
    #[arg(long)]
    pub replayed: bool,
    /// How many, at most.
    #[arg(long, default_value = LISTED, value_name = "LETTERS", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How many there are of each reason, instead of the letters.
    #[arg(long)]
    pub summary: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The letter's id, as `deadletter list` shows it.
    pub id: String,
    /// Only the bytes that were refused, as they came.
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to replay.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["ids", "reason", "agent", "all"])))]
pub struct ReplayArgs {
    /// The letters' ids.
    #[arg(value_name = "ID", conflicts_with_all = ["reason", "agent", "since", "all"])]
    pub ids: Vec<String>,
    /// All letters, or all of `--since`.
    #[arg(long, conflicts_with_all = ["reason", "agent"])]
    pub all: bool,
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Says what would be given back and what would be refused, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also letters that were replayed before: they count once more.
    #[arg(long)]
    pub again: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}
