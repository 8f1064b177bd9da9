//! The store on a database that speaks SQL: SQLite's, in a file, or PostgreSQL. One thread owns the connection that writes
//! and makes one transaction of all that waits; reads go past it on connections of their own. Knows nothing of plugins or
//! queues.

mod access;
mod cell;
pub mod copy;
pub(super) mod database;
mod erase;
mod flow;
mod gathered;
mod group;
mod intervene;
mod lane;
mod listing;
mod outbox;
mod parked;
mod past;
mod payload;
mod queries;
mod remove;
mod rows;
mod seam;
mod state;
mod subjects;
mod tally;
pub(super) mod tenure;
mod versions;
mod watched;
mod write;
mod writer;

use super::group::{Host, Told};
use super::keeping::{Look, Looked};
use super::postgres::Ear;
use super::seal::StoreKeys;
use super::{StoreError, postgres, sqlite};
use anyhow::Context as _;
use database::{Connection, Database};
use std::any::Any;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use writer::Writer;

pub use super::sqlite::Server;
pub use writer::Disk;

/// Batches that may wait for the writer before `commit` itself waits.
const BATCHES_WAITING_MAX: usize = 256;

/// The store on a database. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    reader: Reader,
    /// What people ask may take long: it keeps nobody from deciding and performing.
    people: Reader,
    /// Set for a store in memory: how long it takes until the database reads, and from then on until what it read is heard.
    pause: Option<fn() -> Duration>,
    look: Arc<LookThrough>,
    /// Which host this is of those that share the store.
    own: Option<i64>,
    listen: Listen,
    _lock: Option<Box<dyn Any + Send + Sync>>,
}

/// Hears what is told from now on.
pub(super) type Listen = Box<dyn Fn() -> watch::Receiver<Told> + Send + Sync>;

type Reader = Arc<Mutex<Box<dyn Connection>>>;

/// Looks through all that is kept, as [`Keeping::look`] does. Blocks.
type LookThrough = dyn Fn(&Look, bool) -> anyhow::Result<Vec<Looked>> + Send + Sync;

/// What a host does about others at work on the same database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// It says that there is one.
    Refuse,
    /// It waits until the other is gone, and takes over.
    Await,
    /// It shares the work with those that do so, too, and waits until any that does not is gone. This is what it tells them of
    /// itself.
    Share(Host),
}

/// What an adapter opens.
pub(super) struct Opened {
    /// The connections that write, that read for the host, and for people.
    pub(super) connections: [Box<dyn Connection>; 3],
    /// Looks through all that is kept.
    pub(super) look: Arc<LookThrough>,
    /// Held as long as the store: two hosts on one store would each decide every event.
    pub(super) lock: Option<Box<dyn Any + Send + Sync>>,
    /// Which host this is of those that share the store, where it shares it.
    pub(super) own: Option<i64>,
    /// What hears of other hosts that share the store.
    pub(super) ear: Option<Ear>,
}

impl SqlStore {
    /// Opens or makes `store.sqlite` in this directory, not encrypted.
    ///
    /// # Errors
    /// As [`SqlStore::open_with`].
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        Self::open_with(dir, &StoreKeys::default())
    }

    /// Opens or makes `store.sqlite` in this directory, encrypted with these keys.
    ///
    /// # Errors
    /// When another host has it open, a key is missing that it is encrypted with, it was written by a newer Tidegate, or the
    /// disk refuses.
    pub fn open_with(dir: &Path, keys: &StoreKeys) -> anyhow::Result<Self> {
        Self::start(sqlite::open(dir, keys)?)
    }

    /// Opens or makes the tables in this PostgreSQL database, `postgres://USER@HOST:PORT/DATABASE`, with this password; one that
    /// another host works on as `others` says. Blocks.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, another host works on the database, a key is missing that it is
    /// encrypted with, or it was written by a newer Tidegate.
    pub fn connect(
        url: &str,
        password: Option<&str>,
        keys: &StoreKeys,
        others: Others,
    ) -> anyhow::Result<Self> {
        let store = Self::start(postgres::open(url, password, keys, others)?)?;
        let held = Arc::downgrade(&store.0);
        let beating = std::thread::Builder::new().name("store-heart".into());
        let beat = move || {
            std::thread::park_timeout(postgres::HEARTBEAT);
            held.upgrade().is_some_and(|inner| inner.writer.touch())
        };
        beating.spawn(move || while beat() {}).context("start what tells the database of this host")?;
        Ok(store)
    }

    /// Resolves when this store writes nothing any more: another host has taken the database over. Cancel-safe.
    pub async fn ended(&self) {
        self.0.writer.ended().await;
    }

    fn start(opened: Opened) -> anyhow::Result<Self> {
        let [writer, reader, people] = opened.connections;
        let told = opened.ear.map_or_else(|| Ok(no_news()), listen)?;
        let listen = Box::new(move || {
            let mut told = told.clone();
            // Else whoever asks would hear of all that was told before.
            told.mark_unchanged();
            told
        });
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(writer, BATCHES_WAITING_MAX)?,
            reader: Arc::new(Mutex::new(reader)),
            people: Arc::new(Mutex::new(people)),
            pause: None,
            look: opened.look,
            own: opened.own,
            listen,
            _lock: opened.lock,
        })))
    }

    /// A store in memory that starts no thread, for simulated runs: the tables and statements of SQLite, written when
    /// [`Disk`] says so and read on the thread that asks. Stores of the same name in this process share what is written, for
    /// as long as there is one. `pause` is asked how long each read takes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_memory(name: &str, pause: fn() -> Duration) -> anyhow::Result<(Self, Disk)> {
        let (writes, reads) = sqlite::in_memory(name)?;
        Ok(Self::in_steps([writes, reads], pause, None))
    }

    /// As [`Self::in_memory`], for one of several hosts, which share what is in memory at this server.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_memory_shared(
        server: &Arc<Server>,
        host: Host,
        pause: fn() -> Duration,
    ) -> anyhow::Result<(Self, Disk)> {
        let shared = sqlite::open_shared(server, host)?;
        let (connections, group) = ([shared.writer, shared.reader], (shared.id, shared.listen));
        Ok(Self::in_steps(connections, pause, Some(group)))
    }

    /// As [`Self::in_memory`], in this PostgreSQL database, for a host that works on it alone. Blocks as it reads, and as
    /// [`Disk`] writes.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_in_steps(url: &str, pause: fn() -> Duration) -> anyhow::Result<(Self, Disk)> {
        Ok(Self::in_steps(postgres::open_in_steps(url)?, pause, None))
    }

    /// Looks on, past the hosts that work on this PostgreSQL database in steps: it writes nothing.
    ///
    /// # Errors
    /// When that is no URL of a database.
    pub fn observe(url: &str) -> anyhow::Result<Self> {
        let connections = [postgres::observe(url)?, postgres::observe(url)?];
        Ok(Self::in_steps(connections, || Duration::ZERO, None).0)
    }

    fn in_steps(
        [writes, reads]: [Box<dyn Connection>; 2],
        pause: fn() -> Duration,
        group: Option<(i64, Listen)>,
    ) -> (Self, Disk) {
        let (writer, disk) = Writer::in_steps(writes, BATCHES_WAITING_MAX);
        let reader = Arc::new(Mutex::new(reads));
        let people = Arc::clone(&reader);
        let look: Arc<LookThrough> = Arc::new(|_, _| Ok(Vec::new()));
        let (own, listen): (_, Listen) = match group {
            Some((own, listen)) => (Some(own), listen),
            None => (None, Box::new(no_news)),
        };
        let pause = Some(pause);
        (Self(Arc::new(Inner { writer, reader, people, pause, look, own, listen, _lock: None })), disk)
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.reader, self.0.pause, query).await
    }

    /// As [`Self::read`], for what people ask.
    async fn show<T: Send + 'static>(
        &self,
        query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.people, self.0.pause, query).await
    }
}

/// Nobody else shares the store.
fn no_news() -> watch::Receiver<Told> {
    watch::channel(Told::default()).1
}

/// What is heard, on a thread of its own.
fn listen(ear: Ear) -> anyhow::Result<watch::Receiver<Told>> {
    let (tell, told) = watch::channel(Told::default());
    let listening = std::thread::Builder::new().name("store-ear".into());
    listening.spawn(move || ear.listen(&tell)).context("start what hears of other hosts")?;
    Ok(told)
}

async fn on<T: Send + 'static>(
    reader: &Reader,
    pause: Option<fn() -> Duration>,
    mut query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let reader = Arc::clone(reader);
    let mut query = move || {
        let mut found = None;
        let mut connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
        connection.read(&mut |db| {
            found = Some(query(db)?);
            Ok(())
        })?;
        found.context("read nothing")
    };
    if let Some(pause) = pause {
        tokio::time::sleep(pause()).await;
        let found = query();
        tokio::time::sleep(pause()).await;
        return Ok(found?);
    }
    Ok(tokio::task::spawn_blocking(query).await.context("read the store")??)
}
