//! The host's store in PostgreSQL, and how it is taken from it for a while.

use anyhow::Context as _;
use postgres::{Client, Config, NoTls};
use rustix::process::Pid;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_tests::system::database::SERVER;

const NAME: &str = "chaos";
/// What the server says to whoever comes while the database is away.
pub(crate) const REFUSED: &str = "database \"chaos\" is not currently accepting connections";

pub(crate) struct Database {
    server: Config,
}

impl Database {
    /// A fresh one, where a server is named; what an earlier run left there goes.
    pub(crate) async fn make() -> anyhow::Result<Option<Self>> {
        let Ok(server) = std::env::var(SERVER) else { return Ok(None) };
        let database = Self { server: server.parse().with_context(|| format!("read {SERVER}"))? };
        let statements = [format!("DROP DATABASE IF EXISTS {NAME}"), format!("CREATE DATABASE {NAME}")];
        database.run(&statements.each_ref().map(String::as_str)).await?;
        Ok(Some(database))
    }

    /// Where the server is.
    pub(crate) fn addr(&self) -> anyhow::Result<SocketAddr> {
        let port = self.server.get_ports().first().copied().context("the server has a port")?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The same, by way of another port of this machine.
    pub(crate) fn url_at(&self, port: u16) -> String {
        let user = self.server.get_user().unwrap_or_default();
        format!("postgres://{user}@127.0.0.1:{port}/{NAME}?sslmode=disable")
    }

    /// What hosts have written down for each other and is not done.
    pub(crate) async fn errands(&self) -> anyhow::Result<i64> {
        let mut server = self.server.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let mut client: Client = server.dbname(NAME).connect(NoTls)?;
            anyhow::Ok(client.query_one("SELECT count(*) FROM errands", &[])?.try_get(0)?)
        });
        asking.await.context("ask the server")?.context("count errands")
    }

    /// The server dies in the middle of whatever it does, and comes back by its log.
    pub(crate) async fn crash(&self) -> anyhow::Result<()> {
        let mut server = self.server.clone();
        let killing = tokio::task::spawn_blocking(move || {
            let mut client: Client = server.dbname("postgres").connect(NoTls)?;
            let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.try_get(0)?;
            // Its postmaster ends all others with one that is killed, and recovers.
            rustix::process::kill_process(
                Pid::from_raw(backend).context("it has an id")?,
                rustix::process::Signal::KILL,
            )?;
            anyhow::Ok(())
        });
        killing.await.context("ask the server")?.context("kill a backend")
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
