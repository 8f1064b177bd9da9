//! The server, and how it is reached.

use anyhow::{Context as _, bail, ensure};
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a server may take to answer the first time, and how long what was sent may stay without an acknowledgement.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// A statement is planned when its table is new, and the plan is kept: to read every row is cheapest then, and not later.
const BY_INDEX: &str = "SET enable_seqscan = off";

/// Where the database is.
pub(super) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// For people: never with the password.
    pub(super) name: String,
}

impl Server {
    pub(super) fn new(url: &str, password: Option<&str>) -> anyhow::Result<Self> {
        // The error does not repeat what it was given: there may be a password in it.
        let mut config: Config =
            url.parse().context("`store.url` is no postgres://USER@HOST:PORT/DATABASE")?;
        ensure!(
            config.get_password().is_none(),
            "`store.url` has a password in it: leave it out and set TIDEGATE_STORE_PASSWORD"
        );
        let database = config.get_dbname().context("`store.url` names no database")?;
        let hosts: Vec<_> = config.get_hosts().iter().map(shown).collect();
        let name = format!("the database {database} on {}", hosts.join(", "));
        if let Some(password) = password {
            config.password(password);
        }
        config.connect_timeout(CONNECT_MAX).tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX).keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
        let is_elsewhere = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            // A socket of this machine has none, and needs none.
            _ if !is_elsewhere => None,
            // Whoever stands in between could say that the server has none.
            _ => {
                config.ssl_mode(SslMode::Require);
                Some(tls()?)
            }
        };
        Ok(Self { config, tls, name })
    }

    pub(super) fn connect(&self) -> anyhow::Result<Held> {
        let client = match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        };
        let hint = match self.tls {
            Some(_) => {
                " with TLS (a server on this machine may do without: end `store.url` with `?sslmode=disable`)"
            }
            None => "",
        };
        let mut client = client.with_context(|| format!("connect to {}{hint}", self.name))?;
        client.batch_execute(BY_INDEX).context("prepare a connection")?;
        Ok(Held(Some(client)))
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

/// Certificates that this machine trusts.
fn tls() -> anyhow::Result<MakeRustlsConnect> {
    match MakeRustlsConnect::with_native_certs() {
        Ok((tls, _)) => Ok(tls),
        Err(errors) => bail!(
            "no certificate that this machine trusts was found, so the server's cannot be checked: install them \
             (`ca-certificates`), set SSL_CERT_FILE, or end `store.url` with `?sslmode=disable` ({errors:?})"
        ),
    }
}

/// A client that blocks, and blocks when it ends: that it does on a thread of its own, as whoever ends a store may be among
/// those who must not.
pub(super) struct Held(Option<Client>);

impl Deref for Held {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.0.as_ref().expect("it is there until it ends")
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Client {
        self.0.as_mut().expect("it is there until it ends")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let client = self.0.take();
        let ended = std::thread::Builder::new().name("store-end".into()).spawn(move || drop(client));
        if let Ok(thread) = ended {
            // Whoever opens the store next finds it free. A server that does not answer is waited for as long as anywhere.
            let _ = thread.join();
        }
    }
}
