//! A place for one store: a folder, or, where `TIDEGATE_TEST_POSTGRES` names a server, a database there that is made for
//! it and goes with it.

#![allow(dead_code, reason = "not every test asks for all of it")]

use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use std::path::Path;
use tempfile::TempDir;
use tidegate::store::group::Host;
use tidegate::store::seal::StoreKeys;
use tidegate::store::sql::copy::{Copied, copy};
use tidegate::store::sql::{Others, SqlStore};

/// The variable: `postgres://USER@HOST:PORT`.
pub(crate) const SERVER: &str = "TIDEGATE_TEST_POSTGRES";

pub(crate) struct Home {
    dir: TempDir,
    database: Option<Database>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let database = std::env::var(SERVER).ok().map(|server| Database::new(&server));
        Self { dir, database }
    }

    /// A folder for whatever else there is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn open(&self) -> anyhow::Result<SqlStore> {
        self.open_with(&StoreKeys::default())
    }

    pub(crate) fn open_with(&self, keys: &StoreKeys) -> anyhow::Result<SqlStore> {
        match &self.database {
            Some(database) => {
                let url = database.url();
                on_a_thread(|| SqlStore::connect(&url, None, keys, Others::Refuse))
            }
            None => SqlStore::open_with(self.path(), keys),
        }
    }

    fn in_database(&self) -> &Database {
        self.database.as_ref().expect("it is in a database")
    }

    /// The database, by way of this port of this machine.
    pub(crate) fn url_through(&self, port: u16) -> String {
        self.in_database().url_at(port)
    }

    /// As [`Self::open`], by way of another port of this machine.
    pub(crate) fn open_through(&self, port: u16) -> anyhow::Result<SqlStore> {
        let url = self.url_through(port);
        on_a_thread(|| SqlStore::connect(&url, None, &StoreKeys::default(), Others::Refuse))
    }

    /// As [`Self::open`], when nobody else has it open any more.
    pub(crate) async fn open_after_others(&self) -> SqlStore {
        let url = self.in_database().url();
        let opening = move || SqlStore::connect(&url, None, &StoreKeys::default(), Others::Await);
        tokio::task::spawn_blocking(opening).await.expect("does not panic").expect("opens")
    }

    /// As [`Self::open`], for a host of this name that shares the work with others.
    pub(crate) async fn open_sharing(&self, name: &str) -> SqlStore {
        let (url, name) = (self.in_database().url(), name.to_owned());
        let others = Others::Share(Host { name, queues: 1 });
        let opening = move || SqlStore::connect(&url, None, &StoreKeys::default(), others);
        tokio::task::spawn_blocking(opening).await.expect("does not panic").expect("opens")
    }

    /// Copies the store in the folder into the database.
    pub(crate) fn copy_from_file(&self, keys: &StoreKeys) -> anyhow::Result<Vec<Copied>> {
        let url = self.in_database().url();
        on_a_thread(|| copy(self.path(), (&url, None), keys, &mut |_, _| {}))
    }

    /// Where the server listens.
    pub(crate) fn server_port(&self) -> u16 {
        self.in_database().server.get_ports()[0]
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// What these statements give, as text, past the store.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.database {
            Some(database) => on_a_thread(|| {
                let rows = database.client().simple_query(sql).expect("is SQL");
                let rows = rows.iter().filter_map(|row| match row {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                rows.map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
                    .collect()
            }),
            None => {
                let file = rusqlite::Connection::open(self.path().join("store.sqlite")).expect("opens");
                let mut statement = file.prepare(sql).expect("is SQL");
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..columns).map(|at| Ok(text(&row.get::<_, rusqlite::types::Value>(at)?))).collect()
                });
                rows.expect("reads").collect::<Result<_, _>>().expect("reads")
            }
        }
    }

    /// Runs these statements past the store.
    pub(crate) fn run(&self, sql: &str) {
        match &self.database {
            Some(database) => on_a_thread(|| database.client().batch_execute(sql).expect("is SQL")),
            None => {
                let file = rusqlite::Connection::open(self.path().join("store.sqlite")).expect("opens");
                file.execute_batch(sql).expect("is SQL");
            }
        }
    }
}

fn text(value: &rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

struct Database {
    server: Config,
    name: String,
}

impl Database {
    fn new(server: &str) -> Self {
        let server: Config = server.parse().expect("a server's URL");
        let name = format!("tidegate_test_{:032x}", fastrand::u128(..));
        let made = Self { server, name };
        on_a_thread(|| {
            made.at("postgres").batch_execute(&format!("CREATE DATABASE {}", made.name)).expect("is made")
        });
        made
    }

    fn at(&self, database: &str) -> Client {
        self.server.clone().dbname(database).connect(NoTls).expect("connects")
    }

    fn client(&self) -> Client {
        self.at(&self.name)
    }

    fn url(&self) -> String {
        self.url_at(self.server.get_ports()[0])
    }

    fn url_at(&self, port: u16) -> String {
        let user = self.server.get_user().expect("a user");
        format!("postgres://{user}@127.0.0.1:{port}/{}?sslmode=disable", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The server may have gone before, or never been there: that is what the test says, not this.
        on_a_thread(|| {
            self.server.clone().dbname("postgres").connect(NoTls).and_then(|mut it| it.batch_execute(&sql))
        })
        .ok();
    }
}

/// The client blocks, and tests are not to.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join()).expect("does not panic")
}
