//! Waiting, which never takes time: a plugin that waits for a clock finds it moved on. Knows nothing of streams.

use super::time::Ready;
use super::{CallState, Pollable, ended};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};

type Store<'a> = StoreContextMut<'a, CallState>;

/// Adds a function of `wasi:io/poll`, or what makes a pollable of a clock. False when nothing is known of it.
pub(super) fn add(instance: &mut LinkerInstance<'_, CallState>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "[method]pollable.ready" => {
            instance.func_wrap(name, |store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
                let wasi = &store.data().wasi;
                Ok((wasi.time.is_ready(wasi.handles.get(&pollable)?.0),))
            })
        }
        "[method]pollable.block" => {
            instance.func_wrap(name, |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
                let wasi = &mut store.data_mut().wasi;
                let ready = wasi.handles.get(&pollable)?.0;
                wasi.time.wait_for(&[ready]);
                Ok(())
            })
        }
        "poll" => instance.func_wrap(name, |store: Store<'_>, (pollables,): (Vec<Resource<Pollable>>,)| {
            Ok((poll(store, &pollables)?,))
        }),
        "subscribe-instant" => instance
            .func_wrap(name, |store: Store<'_>, (ns,): (u64,)| Ok((subscribe(store, |_| Ready::At(ns))?,))),
        "subscribe-duration" => instance.func_wrap(name, |store: Store<'_>, (ns,): (u64,)| {
            Ok((subscribe(store, |time| time.after(ns))?,))
        }),
        _ => return Ok(false),
    }
    .map(|()| true)
}

fn subscribe(
    mut store: Store<'_>,
    ready: impl FnOnce(&super::Time) -> Ready,
) -> wasmtime::Result<Resource<Pollable>> {
    let wasi = &mut store.data_mut().wasi;
    let ready = ready(&wasi.time);
    wasi.hold(Pollable(ready))
}

/// Waits for the first of them; says which are ready then, by their places in the list.
fn poll(mut store: Store<'_>, pollables: &[Resource<Pollable>]) -> wasmtime::Result<Vec<u32>> {
    if pollables.is_empty() {
        return Err(ended("waited for nothing: `poll` was given an empty list"));
    }
    let wasi = &mut store.data_mut().wasi;
    let all = pollables.iter().map(|pollable| Ok(wasi.handles.get(pollable)?.0));
    let all = all.collect::<wasmtime::Result<Vec<Ready>>>()?;
    wasi.time.wait_for(&all);
    let ready = (0..).zip(&all).filter(|(_, ready)| wasi.time.is_ready(**ready));
    Ok(ready.map(|(place, _)| place).collect())
}
