//! `tidegate token`, `tidegate audit`, `tidegate openapi`: who may ask a host, what was asked, and what can be.

use super::nearby::Place;
use super::{client, print, print_json, table, time};
use std::fmt::Write as _;
use tidegate::access::Role;
use tidegate::admin::route;
use tidegate::admin::tokens::{MadeToken, NewToken, Rotation, TokenRow};
use tidegate::store::access::AuditRow;
use tidegate::store::sql::SqlStore;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token. It is printed once, and kept nowhere: the host has its hash.
    New {
        /// Its name, as the audit will have it: a-z, 0-9 and -.
        name: String,
        /// What its holder may do: `read` sees how things are, but nothing that people wrote; `operate` sees all, deploys and
        /// redrives; `admin` makes tokens and forgets people, too.
        #[arg(long)]
        role: Role,
        /// For how long it counts, for example 90d; for ever unless it is said.
        #[arg(long, value_name = "TIME", value_parser = super::moment::span)]
        expires: Option<u64>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// All tokens, with when each was last used.
    List {
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// A new token in the place of one; the one so far counts a while longer.
    Rotate {
        /// Which.
        name: String,
        /// For how long the one so far counts, too: time to put the new one where it is used.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::moment::span)]
        overlap: u64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Take a token away: it counts no more, at once.
    Revoke {
        /// Which.
        name: String,
    },
}

#[derive(clap::Args)]
#[command(
    after_help = "Written before it is done: each change, each look at payloads, and what was refused. No payload \
                        stands in it, and nobody's name but those of tokens."
)]
pub(crate) struct AuditArgs {
    /// The last so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: usize,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, host: &Place) -> anyhow::Result<()> {
    let client = client(host)?;
    match command {
        Command::New { name, role, expires, json } => {
            let until_ms = expires.map(|ms| crate::assembly::now_ms().saturating_add(ms));
            let made = client.post("/api/v1/tokens", &NewToken { name, role, until_ms }).await?;
            say(&made, json)
        }
        Command::Rotate { name, overlap, json } => {
            let rotation = Rotation { overlap_ms: overlap };
            say(&client.post(&format!("/api/v1/tokens/{name}/rotate"), &rotation).await?, json)
        }
        Command::Revoke { name } => {
            let _: TokenRow = client.delete(&format!("/api/v1/tokens/{name}")).await?;
            print(&format!("{name} counts no more\n"))
        }
        Command::List { json } => {
            let tokens: Vec<TokenRow> = client.get("/api/v1/tokens").await?;
            if json { print_json(&tokens) } else { print(&listed(&tokens)) }
        }
    }
}

fn say(made: &MadeToken, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json([made]);
    }
    let MadeToken { name, role, token } = made;
    print(&format!(
        "{token}\n\nthis is {name}, and may {}. It is not shown again. To use it:\n  TIDEGATE_HOST=URL \
         TIDEGATE_ADMIN_TOKEN=... tidegate stats\n",
        role.word()
    ))
}

fn listed(tokens: &[TokenRow]) -> String {
    if tokens.is_empty() {
        return "no tokens; make one: tidegate token new NAME --role read\n".to_owned();
    }
    let row = |token: &TokenRow| {
        let or = |ms: Option<u64>, none: &str| ms.map_or_else(|| none.to_owned(), time);
        vec![
            token.name.clone(),
            token.role.word().to_owned(),
            time(token.made_at_ms),
            or(token.until_ms, "never"),
            or(token.used_at_ms, "not since the start"),
            or(token.before_until_ms, ""),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    table::render(&["name", "role", "made", "ends", "last used", "the one before ends"], &rows)
}

pub(crate) async fn audit(args: &AuditArgs, host: &Place) -> anyhow::Result<()> {
    let path = format!("/api/v1/audit?rows_max={}", args.last);
    let mut rows: Vec<AuditRow> = client(host)?.get(&path).await?;
    rows.reverse();
    if args.json {
        return print_json(&rows);
    }
    let lines = rows.iter().fold(String::new(), |mut text, row| {
        // To a string, writing does not fail.
        let _ = writeln!(text, "{}  {}", time(row.at_ms), row.record);
        text
    });
    print(if lines.is_empty() { "nobody did anything yet\n" } else { &lines })
}

pub(crate) fn openapi() -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(&route::description::<SqlStore>())? + "\n"))
}
