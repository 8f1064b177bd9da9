//! Counts time for running plugins, on a thread of its own that no plugin can starve. Knows nothing of limits.

use anyhow::Context;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmtime::Engine;

/// Raises the engines' epochs once per tick until it is dropped; the drop waits for its thread to end.
///
/// A tick that comes late is not made up for: a call may get more than its time on a machine that is too busy,
/// never less.
pub(super) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engines: &[Engine], tick: Duration) -> anyhow::Result<Self> {
        let engines = engines.to_vec();
        // Nothing is ever sent: the thread ends when the sender is dropped.
        let (stop, stopped) = mpsc::sync_channel(0);
        let body = move || {
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                engines.iter().for_each(Engine::increment_epoch);
            }
        };
        let thread = thread::Builder::new().name("sandbox-ticker".to_owned()).spawn(body);
        Ok(Self { stop: Some(stop), thread: Some(thread.context("start the ticker's thread")?) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its body cannot panic; and a drop has nobody to tell.
            let _ = thread.join();
        }
    }
}
