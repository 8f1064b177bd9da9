//! `tidegate source`: how the senders are, and what an operator does about them.

pub(super) mod list;
mod sample;
mod secrets;

use crate::command::nearby::Place;
use std::path::PathBuf;
use tidegate::config::Config;
use tidegate_envelope::SourceName;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// One line per source: how it is, and how many failures are left until its sender stops delivering.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// All that is known of one source, or of all: failures, tokens, vault, rhythm, and what to do.
    Status {
        /// Which source.
        #[arg(value_parser = SourceName::new)]
        name: Option<SourceName>,
        /// One JSON object: now_ms, edge, sources.
        #[arg(long)]
        json: bool,
    },
    /// Times in which events may have been lost.
    Gaps {
        /// Of which source.
        #[arg(value_parser = SourceName::new)]
        name: Option<SourceName>,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// What the operator was told, and whether it was sent.
    Alerts {
        /// About which source.
        #[arg(value_parser = SourceName::new)]
        name: Option<SourceName>,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Post the sender's sample event to the source's URL and follow it until it is decided.
    ///
    /// Plugins see it and may act on it: the asset's name is "Tidegate test" and its id 0.
    Test(sample::Args),
    /// Print where a source takes events: the URL to enter at its sender. Only `tidegate dev` knows it; elsewhere the tokens
    /// are in your sources.json alone.
    Url {
        /// Which source.
        #[arg(value_parser = SourceName::new)]
        name: SourceName,
    },
    /// Give a source a new token, and later take the old ones away.
    ///
    /// Both are live until --finish, so that no event meets a URL that is unknown.
    Rotate(secrets::RotateArgs),
    /// Read a file of sources as the edge does, but strictly: the first fault, and where it is.
    Check {
        /// The file: what `wrangler secret put SOURCES` is given.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) async fn run(command: Command, config: &Config, host: &Place) -> anyhow::Result<()> {
    match command {
        Command::List { json } => list::list(json, host).await,
        Command::Status { name, json } => list::status(name.as_ref(), json, host).await,
        Command::Gaps { name, json } => list::gaps(name.as_ref(), json, host).await,
        Command::Alerts { name, json } => list::alerts(name.as_ref(), json, host).await,
        Command::Test(args) => sample::run(&args, config, host).await,
        Command::Url { name } => sample::url(&name, config, host),
        Command::Rotate(args) => secrets::rotate(&args, host).await,
        Command::Check { file } => secrets::check(&file),
    }
}
