//! WASI 0.2 with nothing behind it, for languages whose libraries insist on one: what a plugin is answered is made of
//! the event alone, and what it writes is its log. A plugin without WASI may write the same log through an interface of the
//! contract's own. Knows nothing of the contract else.
//!
//! A component gets the interfaces that it imports and no others; one that imports nothing costs nothing. What is known
//! is answered as `wit/README.md` says; every other function of WASI says "no" in the words that its type has for it
//! (`deny.rs`). Nothing here waits, so a call's time is counted as always; nothing here allocates as much as the plugin
//! likes, so each bound below has a name.

mod chance;
mod deny;
mod known;
mod poll;
mod stream;
mod time;
mod transcript;

use super::limiter::CallState;
use crate::event::Event;
use crate::log::Log;
use chance::Chance;
use std::any::Any;
use tidegate_envelope::Receipt;
use time::Time;
use transcript::Transcript;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceTable, ResourceType};

/// What a plugin without WASI may import for its log.
pub(super) const LOG: &str = "tidegate:plugin/log@1.0.0";
/// What stands before the third number of a version whose interfaces are given: within 0.2 they only grow.
const VERSION: &str = "0.2.";
/// Handles that one call may hold at once: streams and what can be waited for.
const HANDLES_MAX: usize = 256;
/// Random bytes that a plugin is given at once; it may ask again.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Bytes that a plugin is told it may write at once.
const WRITE_BYTES_MAX: u64 = 4 << 10;

/// What one call has of WASI. Takes no memory of its own until it is used.
pub(super) struct Wasi {
    time: Time,
    chance: Chance,
    transcript: Transcript,
    handles: ResourceTable,
}

/// A call of WASI that ends the plugin's own call, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Ended(pub(super) String);

/// What can be waited for, and when it is ready.
struct Pollable(time::Ready);

/// Standard input, which is at its end.
struct Input;

/// Standard output or error.
struct Output(crate::log::Level);

/// What went wrong with a stream: nothing ever does.
struct StreamFailure;

/// The network there is not: sockets are refused later.
struct Network;

/// A resource that the host never makes.
struct Never;

impl Wasi {
    /// For a call about this event; for none when an instance is only started.
    pub(super) fn new(event: Option<&Event>, log_bytes: usize) -> Self {
        let (receipt, received_at_ms) =
            event.map_or((Receipt::from_bytes([0; 16]), 0), |event| (event.receipt, event.received_at_ms));
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(HANDLES_MAX);
        Self {
            time: Time::new(received_at_ms),
            chance: Chance::new(receipt),
            transcript: Transcript::new(log_bytes),
            handles,
        }
    }

    /// What was written, once the call is over.
    pub(super) fn take_log(&mut self) -> Log {
        self.transcript.take()
    }

    /// A handle for the plugin to hold.
    fn hold<T: Any + Send>(&mut self, thing: T) -> wasmtime::Result<Resource<T>> {
        let held = self.handles.push(thing);
        held.map_err(|_| ended(format!("held more than {HANDLES_MAX} handles of WASI at once")))
    }
}

/// Whether a component may import this.
pub(super) fn is_given(import: &str) -> bool {
    if import == LOG {
        return true;
    }
    let version = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('@'));
    let patch = version.and_then(|(_, version)| version.strip_prefix(VERSION));
    patch.is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a call of this import may take something out of the plugin's memory: the log takes numbers.
pub(super) fn lifts(import: &str) -> bool {
    import != LOG
}

/// What a component imports, all of which [`is_given`]; empty when it imports nothing.
pub(super) fn linker(component: &Component) -> wasmtime::Result<Linker<CallState>> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = import.ty else {
            return Err(wasmtime::format_err!("`{name}` is not an interface"));
        };
        let mut instance = linker.instance(name)?;
        for (item, export) in interface.exports(engine) {
            match export.ty {
                ComponentItem::Resource(_) => add_resource(&mut instance, item)?,
                ComponentItem::ComponentFunc(ty) => {
                    let is_known = known::add(&mut instance, interface_of(name), item)?;
                    if !is_known {
                        deny::add(&mut instance, name, item, &ty)?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(linker)
}

/// `io/poll` of `wasi:io/poll@0.2.9`; of another than WASI's, its whole name.
fn interface_of(import: &str) -> &str {
    let wasi = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('@'));
    wasi.map_or(import, |(interface, _)| interface)
}

/// Interfaces use each other's resources, each by the same name but for one.
fn add_resource(instance: &mut LinkerInstance<'_, CallState>, name: &str) -> wasmtime::Result<()> {
    match name {
        "pollable" => add::<Pollable>(instance, name),
        "input-stream" => add::<Input>(instance, name),
        "output-stream" => add::<Output>(instance, name),
        "error" | "io-error" => add::<StreamFailure>(instance, name),
        "network" => add::<Network>(instance, name),
        _ => add::<Never>(instance, name),
    }
}

fn add<T: 'static>(instance: &mut LinkerInstance<'_, CallState>, name: &str) -> wasmtime::Result<()> {
    instance.resource(name, ResourceType::host::<T>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<T>::new_own(handle))?;
        Ok(())
    })
}

fn ended(why: impl Into<String>) -> wasmtime::Error {
    wasmtime::Error::new(Ended(why.into()))
}

#[cfg(test)]
mod tests {
    use super::is_given;

    #[test]
    fn every_interface_of_wasi_0_2_and_the_log_are_given_and_nothing_else() {
        for given in
            ["wasi:io/poll@0.2.0", "wasi:clocks/wall-clock@0.2.12", "wasi:http/types@0.2.3", super::LOG]
        {
            assert!(is_given(given), "{given}");
        }
        for refused in [
            "wasi:io/poll",
            "wasi:io/poll@0.2",
            "wasi:io/poll@0.2.",
            "wasi:io/poll@0.3.0",
            "wasi:io/poll@0.2.0-rc-2023-11-10",
            "wasi_snapshot_preview1",
            "tidegate:plugin/log@1.1.0",
            "tidegate:plugin/handler@1.0.0",
            "other:wasi/poll@0.2.0",
            "",
        ] {
            assert!(!is_given(refused), "{refused}");
        }
    }
}
