//! The store on a PostgreSQL database. Connections that are lost are made anew, and what became of a transaction that was
//! being committed is asked for before anybody is told.

mod cell;
mod ear;
pub mod inspect;
mod look;
mod roster;
mod schema;
mod server;
mod steps;
mod tenure;
mod words;

use super::group::{Change, KnownHost, Member, News};
use super::keeping::Pages;
use super::seal::StoreKeys;
use super::sql::database::{Cell, Columns, Connection, Database, Read, Row, Rows, Work};
use super::sql::tenure::Tenure;
use super::sql::{Opened, Others};
use crate::partition::Partitions;
use anyhow::{Context as _, bail};
pub(super) use ear::Ear;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Client, SimpleQueryMessage, Statement};
use server::{Held, Server};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
pub(super) use steps::{observe, open_in_steps};
use tenure::Locks;

/// Between two questions to a server that does not answer, or does not know yet.
const WAIT: Duration = Duration::from_millis(250);
/// How long a host may be silent until the server takes the database from it, and how often it says something. One that was
/// frozen for longer finds its connection ended, and another host at work or none.
const SILENT_MAX: Duration = Duration::from_secs(15);
pub(super) const HEARTBEAT: Duration = Duration::from_secs(4);
/// As [`SILENT_MAX`], in the middle of a transaction.
const SILENT_WITHIN_MAX: Duration = Duration::from_secs(5);

/// Opens or makes the tables in this database.
pub(super) fn open(
    url: &str,
    password: Option<&str>,
    keys: &StoreKeys,
    others: Others,
) -> anyhow::Result<Opened> {
    let server = Arc::new(Server::new(url, password)?);
    let ear = matches!(others, Others::Share(_)).then(|| Ear::new(&server));
    let mut writer = Postgres::writer(&server, keys, others);
    writer.take_over(schema::no_copy).with_context(|| format!("open {}", server.name))?;
    let own = writer.tenure.as_ref().filter(|tenure| tenure.shares()).and_then(Tenure::id);
    let reader = || Box::new(Postgres::reader(&server, keys));
    let connections: [Box<dyn Connection>; 3] = [Box::new(writer), reader(), reader()];
    let look = Arc::new(move |what: &_, anew| look::look(&mut *server.connect()?, what, anew));
    Ok(Opened { connections, look, lock: None, own, ear })
}

/// A connection for a copy into a database that has nothing in it, or what an earlier copy left.
pub(super) fn open_for_copy(
    url: &str,
    password: Option<&str>,
    keys: &StoreKeys,
) -> anyhow::Result<Box<dyn Connection>> {
    let server = Arc::new(Server::new(url, password)?);
    let mut to = Postgres::writer(&server, keys, Others::Refuse);
    to.take_over(schema::begin_copy).with_context(|| format!("open {}", server.name))?;
    Ok(Box::new(to))
}

/// One connection to the server, made when it is first needed and made anew when it was lost.
struct Postgres {
    server: Arc<Server>,
    keys: StoreKeys,
    live: Option<Live>,
    /// Of the one that writes.
    tenure: Option<Tenure>,
}

impl Postgres {
    fn writer(server: &Arc<Server>, keys: &StoreKeys, others: Others) -> Self {
        Self { tenure: Some(Tenure::new(others)), ..Self::reader(server, keys) }
    }

    fn reader(server: &Arc<Server>, keys: &StoreKeys) -> Self {
        Self { server: Arc::clone(server), keys: keys.clone(), live: None, tenure: None }
    }

    fn is_lost(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.client.borrow().is_closed())
    }

    /// The connection that stands, or a new one.
    fn live(&mut self) -> anyhow::Result<&Live> {
        if self.is_lost() {
            self.live = None;
            if self.tenure.is_some() {
                self.take_over(|_| Ok(()))?;
            } else {
                self.live = Some(Live::new(self.server.connect()?, &self.keys));
            }
        }
        self.live.as_ref().context("connect to the database")
    }

    /// Makes a connection that may write. Of a database where this says no, nothing is used. Once another host has held what
    /// this one holds, this one may not again: it decided on what is so no longer.
    fn take_over(&mut self, may: fn(&mut Client) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let Self { server, keys, live, tenure } = self;
        let tenure = tenure.as_mut().context("this connection only reads")?;
        let mut client = begin_session(server)?;
        tenure.check(&mut Locks::new(&mut client))?;
        let mut client = lock(server, tenure, client)?;
        tenure.check(&mut Locks::new(&mut client))?;
        schema::migrate(&mut client, tenure::TURN)?;
        may(&mut client)?;
        schema::need(&mut client, keys)?;
        tenure.enter(&mut Locks::new(&mut client))?;
        *live = Some(Live { shares: tenure.shares(), ..Live::new(client, keys) });
        Ok(())
    }

    /// What became of a transaction whose commit nobody answered. Asks until somebody knows.
    fn settle(&self, transaction: &str, lost: anyhow::Error) -> anyhow::Result<()> {
        tracing::warn!("lost the database while it wrote, asking what became of it: {lost:#}");
        let tenure = self.tenure.as_ref().context("this connection only reads")?;
        let ask = |mut client: Held| tenure::was_committed(tenure, &mut client, transaction);
        loop {
            match self.server.connect().and_then(ask) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(lost),
                Err(error) => tracing::warn!("the database does not say, asking again: {error:#}"),
            }
            std::thread::park_timeout(WAIT);
        }
    }
}

/// The connection that has the lock. Whoever waits for others waits for the server, too, once it was there: else a server that
/// is away for a moment would take all that stand by with it.
fn lock(server: &Server, tenure: &Tenure, mut client: Held) -> anyhow::Result<Held> {
    let since = Instant::now();
    loop {
        match tenure::try_lock(tenure, &mut client) {
            Ok(true) => return Ok(client),
            Ok(false) => tenure::may_wait(tenure, since)?,
            Err(error) if tenure.is_patient() && client.is_closed() => {
                tracing::warn!("lost the database that another host works on, asking again: {error:#}");
                client = reconnect(server);
            }
            Err(error) => return Err(error).context("ask whether another host is at work"),
        }
        std::thread::park_timeout(WAIT);
    }
}

/// A connection that ends when this host is silent for too long, whatever it holds then.
fn begin_session(server: &Server) -> anyhow::Result<Held> {
    let mut client = server.connect()?;
    schema::check(&mut client)?;
    client.batch_execute(&schema::session(SILENT_MAX, SILENT_WITHIN_MAX))?;
    Ok(client)
}

fn reconnect(server: &Server) -> Held {
    loop {
        match begin_session(server) {
            Ok(client) => return client,
            Err(error) => tracing::warn!("the database is still away, asking again: {error:#}"),
        }
        std::thread::park_timeout(WAIT);
    }
}

impl Connection for Postgres {
    fn hold(&mut self, change: Change) -> anyhow::Result<Partitions> {
        self.live()?;
        let live = self.live.as_ref().context("connect to the database")?;
        let tenure = self.tenure.as_mut().context("this connection only reads")?;
        let mut client = live.client.borrow_mut();
        let mut locks = Locks::new(&mut client);
        let done = match change {
            Change::Claim(wanted) => tenure.claim(&mut locks, wanted),
            Change::Release(lost) => tenure.release(&mut locks, lost).map(|()| Partitions::NONE),
        };
        drop(client);
        if done.is_err() {
            // What it may have locked without knowing is given away so.
            self.live = None;
        }
        done
    }

    fn read(&mut self, read: &mut Work<'_>) -> anyhow::Result<()> {
        match read(self.live()?) {
            // Nothing was changed: it is read once more where the connection was lost.
            Err(_) if self.is_lost() => read(self.live()?),
            done => done,
        }
    }

    fn write(&mut self, write: &mut Work<'_>) -> anyhow::Result<()> {
        // One that was lost since the last transaction is found so here, when nothing of this one was sent.
        let begin = tenure::begin(self.tenure.as_ref().context("this connection only reads")?);
        let transaction = match self.live()?.begin(&begin) {
            Err(_) if self.is_lost() => self.live()?.begin(&begin),
            begun => begun,
        };
        let transaction = transaction.context("begin a transaction")?;
        // That one and no other: on a new connection nothing was begun.
        let live = self.live.as_ref().context("begin a transaction")?;
        if let Err(error) = write(live) {
            if live.client.borrow_mut().batch_execute("ROLLBACK").is_err() {
                self.live = None;
            }
            return Err(error);
        }
        let committed = live.client.borrow_mut().batch_execute("COMMIT");
        let Err(error) = committed else { return Ok(()) };
        let is_answer = error.as_db_error().is_some() && !live.client.borrow().is_closed();
        let error = anyhow::Error::from(error).context("commit");
        if is_answer {
            return Err(error);
        }
        self.live = None;
        self.settle(&transaction, error)
    }
}

/// A connection that stands, with a transaction on it or without, and the statements that it has prepared.
struct Live {
    client: RefCell<Held>,
    keys: StoreKeys,
    /// Whether other hosts work on the database, too.
    shares: bool,
    ones: RefCell<HashMap<String, Statement>>,
    manies: RefCell<HashMap<String, Statement>>,
}

impl Live {
    fn new(client: Held, keys: &StoreKeys) -> Self {
        let keys = keys.clone();
        let client = RefCell::new(client);
        Self { client, keys, shares: false, ones: RefCell::default(), manies: RefCell::default() }
    }

    /// Begins a transaction, and gives its id: the last that this answers.
    fn begin(&self, sql: &str) -> anyhow::Result<String> {
        let answers = self.client.borrow_mut().simple_query(sql)?;
        let id = answers.iter().rev().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(id.context("read a transaction's id")?.to_owned())
    }

    fn one(&self, sql: &str) -> anyhow::Result<Statement> {
        prepared(&self.ones, sql, || Ok(self.client.borrow_mut().prepare(&words::one(sql))?))
    }

    /// `ending` stands at the end of the statement, and is the same for each that is the same else.
    fn many(&self, sql: &str, ending: &str) -> anyhow::Result<Statement> {
        prepared(&self.manies, sql, || {
            let one = words::one(sql);
            let mut client = self.client.borrow_mut();
            let types = client.prepare(&one)?;
            Ok(client.prepare(&(words::many(&one, types.params())? + ending))?)
        })
    }
}

fn prepared(
    known: &RefCell<HashMap<String, Statement>>,
    sql: &str,
    prepare: impl FnOnce() -> anyhow::Result<Statement>,
) -> anyhow::Result<Statement> {
    if let Some(statement) = known.borrow().get(sql) {
        return Ok(statement.clone());
    }
    let statement = prepare().with_context(|| format!("prepare {sql}"))?;
    known.borrow_mut().insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

impl Database for Live {
    fn execute(&self, sql: &str, of: &[Cell<'_>]) -> anyhow::Result<u64> {
        let statement = self.one(sql)?;
        let mut client = self.client.borrow_mut();
        let mut rows = client.query_raw(&statement, of)?;
        while rows.next()?.is_some() {}
        Ok(rows.rows_affected().unwrap_or_default())
    }

    fn each(&self, sql: &str, of: &[Cell<'_>], read: &mut Read<'_>) -> anyhow::Result<()> {
        let statement = self.one(sql)?;
        let mut client = self.client.borrow_mut();
        let mut rows = client.query_raw(&statement, of)?;
        while let Some(row) = rows.next()? {
            if read(&Row(&Opening { row: &row, keys: &self.keys }))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn execute_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<()> {
        if rows.iter().len() == 0 {
            return Ok(());
        }
        let statement = self.many(sql, "")?;
        let mut client = self.client.borrow_mut();
        let mut done = client.query_raw(&statement, by_column(rows))?;
        while done.next()?.is_some() {}
        Ok(())
    }

    fn insert_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<Vec<Option<i64>>> {
        let ending = format!(" RETURNING {}, seq", words::first_column(sql)?);
        let statement = self.many(sql, &ending)?;
        let mut client = self.client.borrow_mut();
        let mut inserted = client.query_raw(&statement, by_column(rows))?;
        let mut seqs: HashMap<Vec<u8>, i64> = HashMap::with_capacity(rows.iter().len());
        while let Some(row) = inserted.next()? {
            seqs.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(rows.iter().map(|row| row[0].as_bytes().and_then(|key| seqs.remove(key))).collect())
    }

    /// The server does that by itself.
    fn give_back(&self, _: u32) -> anyhow::Result<()> {
        Ok(())
    }

    fn pages(&self) -> anyhow::Result<Pages> {
        let db: &dyn Database = self;
        let bytes = db
            .value("SELECT CAST(current_setting('block_size') AS BIGINT)", &[])?
            .context("read its pages")?;
        let all: u64 =
            db.value("SELECT pg_database_size(current_database())", &[])?.context("read its size")?;
        Ok(Pages { all: all / bytes, free: 0, bytes })
    }

    fn members(&self) -> anyhow::Result<Vec<Member>> {
        roster::members(self)
    }

    fn hosts(&self, since_ms: u64) -> anyhow::Result<Vec<KnownHost>> {
        roster::hosts(self, since_ms)
    }

    fn tell_others(&self, news: News) -> anyhow::Result<()> {
        if self.shares {
            self.client.borrow_mut().batch_execute(tenure::notify(news))?;
        }
        Ok(())
    }

    fn keys(&self) -> &StoreKeys {
        &self.keys
    }
}

/// All first values, all second ones, and so on. One statement changes no row twice: the last holds.
fn by_column<'r, 'a>(rows: &'r Rows<'a>) -> Vec<Vec<&'r Cell<'a>>> {
    let (width, key) = rows.shape();
    let mut last = HashMap::new();
    if key > 0 {
        last.extend(rows.iter().enumerate().map(|(at, row)| (&row[..key], at)));
    }
    let holds = |at: usize, row: &[Cell<'_>]| key == 0 || last.get(&row[..key]) == Some(&at);
    let rows: Vec<_> = rows.iter().enumerate().filter(|(at, row)| holds(*at, row)).collect();
    (0..width).map(|column| rows.iter().map(|(_, row)| &row[column]).collect()).collect()
}

/// A row whose sealed values are opened as they are read.
struct Opening<'r> {
    row: &'r postgres::Row,
    keys: &'r StoreKeys,
}

impl Columns for Opening<'_> {
    fn cell(&self, column: usize) -> anyhow::Result<Cell<'_>> {
        let Cell::List(mut parts) = self.row.try_get(column)? else {
            return Ok(self.row.try_get(column)?);
        };
        let row = parts.split_off(2);
        match (parts.pop(), parts.pop()) {
            (Some(Cell::Text(column)), Some(stored)) => self.keys.unseal(&column, &row, stored),
            _ => bail!("what is to be opened does not say where it stands"),
        }
    }

    fn count(&self) -> usize {
        self.row.len()
    }
}
