//! Looks, past the hosts, at what one has just committed: whether what that is about was its own.

use super::world;
use rusqlite::Connection;
use std::sync::Arc;
use tidegate::partition::{Partition, Partitions};
use tidegate::store::sql::Server;
use tidegate_envelope::{Digest, Receipt};

/// Takes note of the events of which something was decided.
const NOTES: &str = "CREATE TABLE witnessed (event_seq INTEGER NOT NULL);
    CREATE TRIGGER witnesses_events AFTER INSERT ON events
    BEGIN INSERT INTO witnessed VALUES (new.seq); END;
    CREATE TRIGGER witnesses_plans AFTER UPDATE OF state ON plans
    BEGIN INSERT INTO witnessed VALUES (new.event_seq); END;";

pub(crate) struct Witness {
    db: Connection,
    server: Arc<Server>,
}

impl Witness {
    pub(crate) fn new(name: &str, server: Arc<Server>) -> Self {
        let db = Connection::open(format!("file:/{name}?vfs=memdb")).expect("opens");
        db.execute_batch(NOTES).expect("is SQL");
        Self { db, server }
    }

    /// This host has acted: all that was committed meanwhile it has committed. It believes that it holds this.
    pub(crate) fn look(&self, host: i64, believed: &Partitions) {
        let held = self.server.held(host);
        if let Some(held) = held {
            world::must(believed.without(held).is_empty(), || {
                format!("number {host} believes that it holds {:?}", believed.without(held))
            });
        }
        let wrote = self.server.take_written(host);
        let decided = self.decided();
        world::must(decided.without(wrote).is_empty(), || {
            format!("number {host} decided about {:?} and holds {wrote:?}", decided.without(wrote))
        });
    }

    fn decided(&self) -> Partitions {
        let sql = "SELECT subject, cause, sha256 FROM events JOIN witnessed ON seq = event_seq";
        let mut statement = self.db.prepare_cached(sql).expect("is SQL");
        let rows = statement.query_map([], |row| {
            let cause = row.get::<_, Option<[u8; 16]>>(1)?.map(Receipt::from_bytes);
            let sha256 = Digest::from_bytes(row.get::<_, [u8; 32]>(2)?);
            Ok(Partition::of_event(&row.get::<_, String>(0)?, cause, &sha256))
        });
        let decided: Partitions = rows.expect("reads").map(|row| row.expect("reads")).collect();
        if !decided.is_empty() {
            self.db.execute("DELETE FROM witnessed", []).expect("is SQL");
        }
        decided
    }
}
