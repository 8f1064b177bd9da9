//! Several hosts on one database in memory, for simulated runs. The tables are SQLite's, with those beside them that only
//! several hosts need; sessions, locks and what is told follow the rules of a server, and whoever plays the server says
//! when a session ends, who can reach it, and when somebody hears.

use super::{On, Sqlite, schema};
use crate::partition::Partitions;
use crate::store::group::{Change, Host, Member, News, Told};
use crate::store::seal::StoreKeys;
use crate::store::sql::database::{Cell, Connection, Database, Rows, Work, cells};
use crate::store::sql::tenure::{Session, Tenure};
use crate::store::sql::{Listen, Others};
use anyhow::{Context as _, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// As PostgreSQL has them: a number is given once, so that what is said twice to be done takes nothing later away.
const TABLES: &str = "CREATE TABLE hosts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, queues INTEGER NOT NULL, deployment INTEGER NOT NULL DEFAULT 0,
    seen_at_ms INTEGER NOT NULL DEFAULT 0, left_at_ms INTEGER, doing TEXT, sources TEXT);
    CREATE TABLE partitions (part INTEGER PRIMARY KEY, host INTEGER NOT NULL);
    DROP TABLE errands;
    CREATE TABLE errands (seq INTEGER PRIMARY KEY AUTOINCREMENT, part INTEGER NOT NULL, is_delivery INTEGER NOT NULL, record NOT NULL);";

/// What stands for the server.
pub struct Server {
    uri: PathBuf,
    state: Mutex<State>,
    /// The database is there as long as a connection is.
    _db: Mutex<rusqlite::Connection>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<u64, Locks>,
    /// The last session there was.
    last: u64,
    ears: BTreeMap<i64, Ear>,
    /// The hosts that cannot reach the server.
    cut_off: BTreeSet<i64>,
    /// Told within the transaction that is under way.
    news: Vec<News>,
    /// What each host held when it wrote.
    written: BTreeMap<i64, Partitions>,
}

/// What a session has locked.
#[derive(Default)]
struct Locks {
    host: Option<i64>,
    partitions: Partitions,
    /// Its host has given it up, and the server does not know.
    is_left: bool,
}

/// What a host hears with, and what it is still to hear.
#[derive(Default)]
struct Ear {
    /// One for each that listens: whoever is one of several on a channel is told in no order.
    tell: Vec<watch::Sender<Told>>,
    hears: Told,
}

impl Server {
    /// One with the tables, in a database that this process knows by this name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Arc<Self>> {
        let uri = super::in_memory_at(name);
        let mut db = schema::connect(&uri, &StoreKeys::default())?;
        schema::migrate(&mut db, &StoreKeys::default())?;
        db.execute_batch(TABLES)?;
        Ok(Arc::new(Self { uri, state: Mutex::default(), _db: Mutex::new(db) }))
    }

    /// Ends all sessions of this host, or those alone that it has given up itself.
    pub fn end_sessions(&self, host: i64, given_up_alone: bool) {
        let mut state = self.state();
        let goes = |locks: &Locks| locks.host == Some(host) && (locks.is_left || !given_up_alone);
        state.sessions.retain(|_, locks| !goes(locks));
    }

    /// This host's connection breaks, and the server does not know yet.
    pub fn lose(&self, host: i64) {
        let mut state = self.state();
        state.sessions.values_mut().filter(|it| it.host == Some(host)).for_each(|it| it.is_left = true);
    }

    /// Whether this host can reach the server from now on.
    pub fn connect(&self, host: i64, is_connected: bool) {
        let mut state = self.state();
        if is_connected {
            state.cut_off.remove(&host)
        } else {
            state.cut_off.insert(host)
        };
    }

    /// This host hears what was told, or never will.
    pub fn tell(&self, host: i64, hears: bool) {
        let mut state = self.state();
        let Some(ear) = state.ears.get_mut(&host) else { return };
        let news = std::mem::take(&mut ear.hears);
        if hears && news != Told::default() {
            ear.tell.retain(|tell| !tell.is_closed());
            for tell in &ear.tell {
                tell.send_modify(|told| {
                    told.work += news.work;
                    told.change += news.change;
                });
            }
        }
    }

    /// What this host holds in the session that it writes in; nothing when it has none that stands.
    pub fn held(&self, host: i64) -> Option<Partitions> {
        let state = self.state();
        let mut own = state.sessions.values().filter(|locks| locks.host == Some(host) && !locks.is_left);
        own.next().map(|locks| locks.partitions)
    }

    /// What this host held when it wrote something, since this was asked last.
    pub fn take_written(&self, host: i64) -> Partitions {
        self.state().written.remove(&host).unwrap_or_default()
    }

    fn listen(&self, host: i64) -> watch::Receiver<Told> {
        let (tell, told) = watch::channel(Told::default());
        let mut state = self.state();
        let ear = state.ears.entry(host).or_default();
        ear.tell.retain(|tell| !tell.is_closed());
        ear.tell.push(tell);
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, host: Option<i64>) -> anyhow::Result<()> {
        let is_cut_off = host.is_some_and(|host| self.state().cut_off.contains(&host));
        ensure!(!is_cut_off, "the server cannot be reached");
        Ok(())
    }

    /// Within a transaction.
    pub(super) fn note_news(&self, news: News) {
        self.state().news.push(news);
    }

    /// What was told within the transaction, when it was committed.
    fn spread(&self, is_committed: bool) {
        let mut state = self.state();
        let news = std::mem::take(&mut state.news);
        for news in news.into_iter().filter(|_| is_committed) {
            for ear in state.ears.values_mut() {
                match news {
                    News::Work => ear.hears.work += 1,
                    News::Change => ear.hears.change += 1,
                }
            }
        }
    }

    fn note_written(&self, session: u64) {
        let mut state = self.state();
        let Some(Locks { host: Some(host), partitions, .. }) = state.sessions.get(&session) else { return };
        let (host, partitions) = (*host, *partitions);
        let before = state.written.entry(host).or_default();
        *before = before.with(partitions);
    }

    pub(super) fn members(&self, db: &dyn Database) -> anyhow::Result<Vec<Member>> {
        let ids: Cell<'_> = self.state().sessions.values().filter_map(|it| it.host.map(Cell::Int)).collect();
        db.rows("SELECT id, name, queues, deployment FROM hosts WHERE id IN rarray(?1)", &[ids], |row| {
            let host = Host { name: row.get(1)?, queues: usize::try_from(row.get::<i64>(2)?)? };
            Ok(Member { id: row.get(0)?, host, deployment: row.get(3)? })
        })
    }
}

/// What a host opens.
pub(in crate::store) struct Opened {
    pub(in crate::store) writer: Box<dyn Connection>,
    pub(in crate::store) reader: Box<dyn Connection>,
    pub(in crate::store) id: i64,
    pub(in crate::store) listen: Listen,
}

/// One more host comes.
pub(in crate::store) fn open(server: &Arc<Server>, host: Host) -> anyhow::Result<Opened> {
    let connect = |tenure| {
        let db = schema::connect(&server.uri, &StoreKeys::default())?;
        let sqlite = Sqlite { db, keys: StoreKeys::default() };
        anyhow::Ok(Shared { server: Arc::clone(server), sqlite, session: None, host: None, tenure })
    };
    let mut writer = connect(Some(Tenure::new(Others::Share(host))))?;
    writer.enter()?;
    let id = writer.host.context("come in")?;
    let reader = Box::new(Shared { host: Some(id), ..connect(None)? });
    let hears = Arc::clone(server);
    let listen = Box::new(move || hears.listen(id));
    Ok(Opened { writer: Box::new(writer), reader, id, listen })
}

/// A host's connection: the one that writes has a session, made anew when it has ended.
struct Shared {
    server: Arc<Server>,
    sqlite: Sqlite,
    session: Option<u64>,
    host: Option<i64>,
    /// Of the one that writes.
    tenure: Option<Tenure>,
}

impl Shared {
    fn stands(&self) -> bool {
        let state = self.server.state();
        self.session.and_then(|session| state.sessions.get(&session)).is_some_and(|locks| !locks.is_left)
    }

    /// The session that stands, or a new one.
    fn enter(&mut self) -> anyhow::Result<u64> {
        self.server.reach(self.host)?;
        if let Some(session) = self.session.filter(|_| self.stands()) {
            return Ok(session);
        }
        let tenure = self.tenure.as_mut().context("this connection only reads")?;
        let mut anew = Anew::begin(&self.server, &self.sqlite);
        tenure.check(&mut anew)?;
        let entered = tenure.enter(&mut anew);
        let session = anew.session;
        if entered.is_err() {
            self.server.state().sessions.remove(&session);
        }
        entered?;
        (self.session, self.host) = (Some(session), tenure.id());
        Ok(session)
    }
}

impl Connection for Shared {
    fn read(&mut self, read: &mut Work<'_>) -> anyhow::Result<()> {
        self.server.reach(self.host)?;
        read(&On { server: Some(&self.server), ..self.sqlite.on() })
    }

    fn write(&mut self, write: &mut Work<'_>) -> anyhow::Result<()> {
        let session = self.enter()?;
        let written = self.sqlite.write_with(Some(&self.server), write);
        self.server.spread(written.is_ok());
        self.server.note_written(session);
        written
    }

    fn hold(&mut self, change: Change) -> anyhow::Result<Partitions> {
        let session = self.enter()?;
        let tenure = self.tenure.as_mut().context("this connection only reads")?;
        let mut locks = Anew { server: &self.server, sqlite: &self.sqlite, session };
        match change {
            Change::Claim(wanted) => tenure.claim(&mut locks, wanted),
            Change::Release(lost) => tenure.release(&mut locks, lost).map(|()| Partitions::NONE),
        }
    }
}

/// A session on the server.
struct Anew<'s> {
    server: &'s Server,
    sqlite: &'s Sqlite,
    session: u64,
}

impl<'s> Anew<'s> {
    fn begin(server: &'s Server, sqlite: &'s Sqlite) -> Self {
        let mut state = server.state();
        state.last += 1;
        let session = state.last;
        state.sessions.insert(session, Locks::default());
        Self { server, sqlite, session }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Locks) -> T) -> anyhow::Result<T> {
        let mut state = self.server.state();
        Ok(change(state.sessions.get_mut(&self.session).context("the session has ended")?))
    }
}

impl Session for Anew<'_> {
    fn introduce(&mut self, host: Option<&Host>) -> anyhow::Result<i64> {
        let host = host.context("it is one of several")?;
        let sql = "INSERT INTO hosts (name, queues) VALUES (?1, ?2) RETURNING id";
        let db: &dyn Database = &self.sqlite.on();
        db.value(sql, cells![host.name.as_str(), i64::try_from(host.queues)?])?.context("read its id")
    }

    fn appear(&mut self, host: i64) -> anyhow::Result<()> {
        self.change(|locks| locks.host = Some(host))
    }

    fn try_lock(&mut self, wanted: Partitions) -> anyhow::Result<Partitions> {
        let others = {
            let state = self.server.state();
            let others = state.sessions.iter().filter(|(session, _)| **session != self.session);
            others.fold(Partitions::NONE, |all, (_, locks)| all.with(locks.partitions))
        };
        let got = wanted.without(others);
        self.change(|locks| locks.partitions = locks.partitions.with(got))?;
        Ok(got)
    }

    fn unlock(&mut self, lost: Partitions) -> anyhow::Result<()> {
        self.change(|locks| locks.partitions = locks.partitions.without(lost))
    }

    fn note(&mut self, host: i64, held: Partitions) -> anyhow::Result<()> {
        let mut rows = Rows::new(2, 1);
        held.iter().for_each(|partition| rows.push([i64::from(partition.number()).into(), host.into()]));
        let sql = "INSERT INTO partitions (part, host) VALUES (?1, ?2)
                   ON CONFLICT (part) DO UPDATE SET host = excluded.host";
        self.sqlite.on().execute_many(sql, &rows)
    }

    fn noted(&mut self, host: i64, held: Partitions) -> anyhow::Result<Partitions> {
        let of: Cell<'_> = held.iter().map(|partition| Cell::Int(partition.number().into())).collect();
        let db: &dyn Database = &self.sqlite.on();
        let sql = "SELECT part FROM partitions WHERE host = ?1 AND part IN rarray(?2)";
        Ok(db.rows(sql, &[host.into(), of], |row| row.get::<i64>(0))?.into_iter().collect())
    }

    fn tell(&mut self) -> anyhow::Result<()> {
        self.server.note_news(News::Change);
        self.server.spread(true);
        Ok(())
    }

    /// Nobody waits on the one thread of a simulated run: the session is made at the next attempt.
    fn wait(&mut self, missing: Partitions) -> anyhow::Result<()> {
        bail!("partitions {missing:?} are locked still: the session before has not ended")
    }
}
