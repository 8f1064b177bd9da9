//! Hears what other hosts tell, on a connection of its own.

use super::WAIT;
use super::server::Server;
use super::tenure::LISTEN;
use crate::store::group::Told;
use postgres::fallible_iterator::FallibleIterator as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it looks whether anybody still wants to know.
const LOOK: Duration = Duration::from_secs(1);

/// What listens, not begun yet.
pub(in crate::store) struct Ear(Arc<Server>);

impl Ear {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        Self(Arc::clone(server))
    }

    /// Listens until nobody wants to know any more. Blocks. What is told while there is no connection is taken
    /// for told when there is one again; until then whoever listens looks by the clock.
    pub(in crate::store) fn listen(&self, told: &watch::Sender<Told>) {
        while !told.is_closed() {
            if let Err(error) = self.listen_once(told) {
                tracing::debug!("lost what tells of other hosts, asking again: {error:#}");
                std::thread::park_timeout(WAIT);
            }
        }
    }

    fn listen_once(&self, told: &watch::Sender<Told>) -> anyhow::Result<()> {
        let mut client = self.0.connect()?;
        client.batch_execute(LISTEN)?;
        // What was told before, nobody heard.
        told.send_modify(|told| {
            told.work += 1;
            told.change += 1;
        });
        while !told.is_closed() {
            while let Some(notification) = client.notifications().timeout_iter(LOOK).next()? {
                told.send_modify(|told| match notification.payload() {
                    "work" => told.work += 1,
                    _ => told.change += 1,
                });
                if told.is_closed() {
                    return Ok(());
                }
            }
            // Nothing is heard on a connection that was lost.
            client.batch_execute("")?;
        }
        Ok(())
    }
}
