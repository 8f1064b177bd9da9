//! The host's store in PostgreSQL, and how it is taken from it for a while.

use anyhow::Context as _;
use postgres::{Client, Config, NoTls};
use std::time::Duration;

/// The variable that names a server: `postgres://USER@HOST:PORT`.
pub(crate) const SERVER: &str = "TIDEGATE_TEST_POSTGRES";
const NAME: &str = "chaos";
/// What the server says to whoever comes while the database is away.
pub(crate) const REFUSED: &str = "database \"chaos\" is not currently accepting connections";

pub(crate) struct Database {
    server: Config,
    /// The database, as `store.url` names it.
    pub(crate) url: String,
}

impl Database {
    /// A fresh one, where a server is named; what an earlier run left there goes.
    pub(crate) async fn make() -> anyhow::Result<Option<Self>> {
        let Ok(server) = std::env::var(SERVER) else { return Ok(None) };
        let database = Self {
            server: server.parse().with_context(|| format!("read {SERVER}"))?,
            url: format!("{server}/{NAME}?sslmode=disable"),
        };
        let statements = [format!("DROP DATABASE IF EXISTS {NAME}"), format!("CREATE DATABASE {NAME}")];
        database.run(&statements.each_ref().map(String::as_str)).await?;
        Ok(Some(database))
    }

    /// For so long it ends every connection and takes no new one.
    pub(crate) async fn be_away(&self, lasts: Duration) -> anyhow::Result<()> {
        self.run(&[
            &format!("ALTER DATABASE {NAME} ALLOW_CONNECTIONS false"),
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}'"),
        ])
        .await?;
        tokio::time::sleep(lasts).await;
        self.run(&[&format!("ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")]).await
    }

    async fn run(&self, statements: &[&str]) -> anyhow::Result<()> {
        let (mut server, statements) = (self.server.clone(), statements.join(";\n"));
        let running = tokio::task::spawn_blocking(move || {
            let mut client: Client = server.dbname("postgres").connect(NoTls)?;
            for statement in statements.split(";\n") {
                client.batch_execute(statement)?;
            }
            anyhow::Ok(())
        });
        running.await.context("ask the server")?.context("ask the server")
    }
}
