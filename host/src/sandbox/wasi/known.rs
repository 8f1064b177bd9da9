//! The functions of WASI that are answered, each by its name. What stands behind the larger ones is in the files beside
//! this one; what is not here is in `deny.rs`.

use super::{CallState, LOG, Network, Output, RANDOM_BYTES_MAX, ended, poll, stream};
use crate::log::Level;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};

type Store<'a> = StoreContextMut<'a, CallState>;

/// The smallest step of the monotonic clock, in nanoseconds.
const RESOLUTION_NS: u64 = 1;

/// `datetime` of `wasi:clocks/wall-clock`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// `level` of the contract's `log`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[expect(dead_code, reason = "made by what is derived, out of the plugin's number")]
#[repr(u8)]
enum LogLevel {
    #[component(name = "info")]
    Info,
    #[component(name = "error")]
    Error,
}

/// Adds a function of an interface, `io/poll` for one. False when nothing is known of it.
pub(super) fn add(
    instance: &mut LinkerInstance<'_, CallState>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<bool> {
    match (interface, name) {
        ("io/streams", _) => return stream::add(instance, name),
        ("io/poll", _) | ("clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            return poll::add(instance, name);
        }
        ("clocks/monotonic-clock", "now") => {
            instance.func_wrap(name, |store: Store<'_>, ()| Ok((store.data().wasi.time.monotonic_ns(),)))
        }
        ("clocks/monotonic-clock", "resolution") => {
            instance.func_wrap(name, |_: Store<'_>, ()| Ok((RESOLUTION_NS,)))
        }
        ("clocks/wall-clock", "now") => instance.func_wrap(name, |store: Store<'_>, ()| {
            let (seconds, nanoseconds) = store.data().wasi.time.wall();
            Ok((Datetime { seconds, nanoseconds },))
        }),
        ("clocks/wall-clock", "resolution") => {
            // An event's time is known to the millisecond.
            instance
                .func_wrap(name, |_: Store<'_>, ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))
        }
        ("random/random", "get-random-bytes") | ("random/insecure", "get-insecure-random-bytes") => {
            instance.func_wrap(name, |store: Store<'_>, (count,)| Ok((random_bytes(store, count)?,)))
        }
        ("random/random", "get-random-u64") | ("random/insecure", "get-insecure-random-u64") => {
            instance.func_wrap(name, |mut store: Store<'_>, ()| Ok((store.data_mut().wasi.chance.number(),)))
        }
        ("random/insecure-seed", "insecure-seed") => instance.func_wrap(name, |mut store: Store<'_>, ()| {
            let chance = &mut store.data_mut().wasi.chance;
            Ok(((chance.number(), chance.number()),))
        }),
        ("cli/exit", "exit") => instance.func_wrap(name, |_: Store<'_>, (status,): (Result<(), ()>,)| {
            let how = if status.is_ok() { "success" } else { "failure" };
            Err::<(), _>(ended(format!("exited with {how} instead of answering")))
        }),
        ("cli/exit", "exit-with-code") => instance.func_wrap(name, |_: Store<'_>, (code,): (u8,)| {
            Err::<(), _>(ended(format!("exited with code {code} instead of answering")))
        }),
        (LOG, "write") => instance.func_wrap(name, |mut store: Store<'_>, (level, text): (LogLevel, u64)| {
            let level = match level {
                LogLevel::Info => Level::Info,
                LogLevel::Error => Level::Error,
            };
            let bytes = text.to_le_bytes();
            let written = bytes.split(|byte| *byte == 0);
            written.for_each(|piece| store.data_mut().wasi.transcript.write(level, piece));
            Ok(())
        }),
        ("cli/stdin", "get-stdin") => instance
            .func_wrap(name, |mut store: Store<'_>, ()| Ok((store.data_mut().wasi.hold(super::Input)?,))),
        ("cli/stdout", "get-stdout") => output(instance, name, Level::Info),
        ("cli/stderr", "get-stderr") => output(instance, name, Level::Error),
        ("sockets/instance-network", "instance-network") => {
            instance.func_wrap(name, |mut store: Store<'_>, ()| Ok((store.data_mut().wasi.hold(Network)?,)))
        }
        _ => return Ok(false),
    }
    .map(|()| true)
}

fn output(instance: &mut LinkerInstance<'_, CallState>, name: &str, level: Level) -> wasmtime::Result<()> {
    instance.func_wrap(name, move |mut store: Store<'_>, ()| -> wasmtime::Result<(Resource<Output>,)> {
        Ok((store.data_mut().wasi.hold(Output(level))?,))
    })
}

fn random_bytes(mut store: Store<'_>, count: u64) -> wasmtime::Result<Vec<u8>> {
    if count > RANDOM_BYTES_MAX {
        return Err(ended(format!(
            "asked for {count} random bytes at once, {RANDOM_BYTES_MAX} are the most"
        )));
    }
    let mut bytes = vec![0; usize::try_from(count)?];
    store.data_mut().wasi.chance.fill(&mut bytes);
    Ok(bytes)
}
