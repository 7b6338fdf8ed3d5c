//! `goldentime-central alerts`.

use clap::{Args, Subcommand};

use super::ConfigArgs;

/// Alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Lists what fires, oldest first, with who takes care of it and what keeps people from being told.
    List(AlertsListArgs),
    /// Shows one with who was told, who did what, and when.
    Show(AlertArgs),
    /// Says that somebody takes care of an alert: it is not repeated and not escalated any more.
    Ack(CareArgs),
    /// Takes that back.
    Unack(CareArgs),
    /// Sends a page over a channel that says that it is a test, and its end, as the configuration has it.
    SendTest(SendTestArgs),
    /// Writes something down about an alert, also after it is over.
    Note(NoteArgs),
}

/// What to list.
#[derive(Debug, Args)]
pub struct AlertsListArgs {
    /// The newest alerts in any state instead.
    #[arg(long)]
    pub history: bool,
    /// Only those with these labels, such as `service="order-api",severity=~"page|ticket"`.
    #[arg(long, value_name = "MATCHERS")]
    pub filter: Vec<String>,
    /// How many, at most.
    #[arg(long, default_value = "100", value_name = "ALERTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which alert.
#[derive(Debug, Args)]
pub struct AlertArgs {
    /// Its id as `alerts list` shows it, or the beginning of it.
    pub id: String,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Who takes care of which alert.
#[derive(Debug, Args)]
pub struct CareArgs {
    /// Its id as `alerts list` shows it, or the beginning of it.
    pub id: String,
    /// Who says so; the user who runs this unless given.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Something to write down with it.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which channel to try.
#[derive(Debug, Args)]
pub struct SendTestArgs {
    /// Its name.
    #[arg(long, value_name = "NAME")]
    pub channel: String,
    /// Prints what would be sent, and sends nothing.
    #[arg(long)]
    pub preview: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to write down.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// Its id as `alerts list` shows it, or the beginning of it.
    pub id: String,
    /// The text.
    pub text: String,
    /// Who writes it; the user who runs this unless given.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}
