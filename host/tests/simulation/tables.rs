//! Where a run has its tables: in memory, or in a database on a server, to which a line leads that is lost at times.

use super::home::Home;
use super::line::Line;
use super::world;
use std::sync::Arc;
use std::time::Duration;
use tidegate::store::sql::{Disk, SqlStore};

pub(crate) enum Tables {
    InMemory { name: String },
    InDatabase { home: Box<Home>, line: Line },
}

impl Tables {
    pub(crate) fn in_memory(seed: u64) -> Self {
        Self::InMemory { name: format!("simulation-{:?}-{seed}", std::thread::current().id()) }
    }

    /// In a database of its own. While something is read or written once, so many connections are lost at most.
    pub(crate) fn in_database(seed: u64, losses_max: usize) -> Self {
        let home = Box::new(Home::new());
        let line = Line::to(home.server_port(), seed, losses_max);
        Self::InDatabase { home, line }
    }

    /// A run begins on them; what repeats it says so.
    pub(crate) fn begin(&self) -> &'static str {
        match self {
            Self::InMemory { .. } => "",
            Self::InDatabase { line, .. } => {
                world::has_line(Arc::clone(&line.fates));
                " --postgres"
            }
        }
    }

    /// What looks on, past the hosts: what is in memory is there for as long as this is.
    pub(crate) fn observer(&self) -> SqlStore {
        let opened = match self {
            Self::InMemory { name } => SqlStore::in_memory(name, || Duration::ZERO).map(|(store, _)| store),
            Self::InDatabase { home, .. } => SqlStore::observe(&home.url_through(home.server_port())),
        };
        opened.expect("a store")
    }

    /// What a host opens when those before it are gone.
    pub(crate) fn open(&self) -> (SqlStore, Disk) {
        let opened = match self {
            Self::InMemory { name } => SqlStore::in_memory(name, world::pause),
            Self::InDatabase { home, line } => {
                line.wait_until_unused();
                line.fates.rest();
                SqlStore::connect_in_steps(&home.url_through(line.port), world::pause)
            }
        };
        opened.expect("a store")
    }
}
