//! `tidegate store`: what concerns where the host keeps everything.

use super::variable;
use anyhow::{Context as _, ensure};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use tidegate::config::Config;
use tidegate::store::seal::StoreKeys;
use tidegate::store::sql::copy::{self, Copied};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a fresh key, for TIDEGATE_STORE_KEY: with it in its environment the host encrypts payloads in its store.
    #[command(after_help = "\
Encrypted are: events' bodies, what plugins said and remember, effects, what is to come, and strays. Not encrypted are: \
receipts, sources, kinds, assets' ids, times, hashes and states, by which the store is searched. What was recorded before is \
read as it is and stays so. Keep the key elsewhere than the store: without it nothing can be read.\n\n\
To change it, set the new one as TIDEGATE_STORE_KEY and the old one as TIDEGATE_STORE_KEY_OLD; several are separated by commas.")]
    Key,
    /// Copy everything from the file in --data into the PostgreSQL database that `store.url` names.
    #[command(after_help = "\
Stop the host first, and start it after: with store.url set it goes on in the database. Every row is compared in the end. When \
it was interrupted, the same command goes on; a host refuses a database until the copy has ended. The file stays as it is.\n\n\
  createdb tidegate\n  \
TIDEGATE_STORE_URL=postgres://tidegate@db.example/tidegate TIDEGATE_STORE_PASSWORD=... \\\n    \
tidegate --data /var/lib/tidegate store copy --from sqlite --to postgres")]
    Copy(CopyArgs),
}

#[derive(clap::Args)]
pub(crate) struct CopyArgs {
    /// Where everything is.
    #[arg(long, value_enum)]
    from: Kind,
    /// Where it goes.
    #[arg(long, value_enum)]
    to: Kind,
    /// Print one JSON object for each table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// The file store.sqlite.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

pub(crate) async fn run(
    command: Command,
    config: impl FnOnce() -> anyhow::Result<Config>,
    data: &Path,
) -> anyhow::Result<()> {
    match command {
        Command::Key => super::print(&(StoreKeys::fresh()? + "\n")),
        Command::Copy(args) => copy(args, config()?, data.to_owned()).await,
    }
}

async fn copy(args: CopyArgs, config: Config, data: PathBuf) -> anyhow::Result<()> {
    ensure!(
        (args.from, args.to) == (Kind::Sqlite, Kind::Postgres),
        "there is one way: --from sqlite --to postgres"
    );
    let url = config.store.url;
    ensure!(!url.is_empty(), "say where to: set `store.url` in tidegate.toml, or TIDEGATE_STORE_URL");
    let (key, older) = (variable("TIDEGATE_STORE_KEY"), variable("TIDEGATE_STORE_KEY_OLD"));
    let keys = StoreKeys::parse(key.as_deref(), older.as_deref())?;
    let password = variable("TIDEGATE_STORE_PASSWORD");
    let copying =
        tokio::task::spawn_blocking(move || copy::copy(&data, (&url, password.as_deref()), &keys, &mut tell));
    let copied = copying.await.context("copy the store")??;
    if args.json {
        return super::print_json(copied);
    }
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    let lines = copied.iter().map(|Copied { table, rows }| format!("  {table:<16} {rows:>10}\n"));
    super::print(&format!(
        "{}copied {rows} rows, each compared: start the host with store.url set\n",
        lines.collect::<String>()
    ))
}

/// For people who wait.
fn tell(table: &str, rows: u64) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        // Nothing is lost where nobody reads it.
        let _ = write!(err, "\r\x1b[K{table}: {rows} rows").and_then(|()| err.flush());
    }
}
