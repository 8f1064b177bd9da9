//! The streams there are: standard input, which is at its end, and two outputs, which are the log. Knows nothing of lines.

use super::time::Ready;
use super::{CallState, Input, Output, Pollable, StreamFailure, WRITE_BYTES_MAX, Wasi, ended};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource};

type Store<'a> = StoreContextMut<'a, CallState>;

/// `stream-error` of `wasi:io/streams`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "nothing fails, but the type has the case")]
    LastOperationFailed(Resource<StreamFailure>),
    #[component(name = "closed")]
    Closed,
}

/// Adds a function of `wasi:io/streams`. False when nothing is known of it.
pub(super) fn add(instance: &mut LinkerInstance<'_, CallState>, name: &str) -> wasmtime::Result<bool> {
    match name.strip_prefix("[method]").and_then(|name| name.split_once('.')) {
        Some(("input-stream", function)) => add_input(instance, name, function),
        Some(("output-stream", function)) => add_output(instance, name, function),
        _ => Ok(false),
    }
}

fn add_input(
    instance: &mut LinkerInstance<'_, CallState>,
    name: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match function {
        "read" | "blocking-read" => instance.func_wrap(name, |_: Store<'_>, _: (Resource<Input>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        }),
        "skip" | "blocking-skip" => instance.func_wrap(name, |_: Store<'_>, _: (Resource<Input>, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
        }),
        "subscribe" => {
            instance.func_wrap(name, |store: Store<'_>, _: (Resource<Input>,)| always_ready(store))
        }
        _ => return Ok(false),
    }
    .map(|()| true)
}

fn add_output(
    instance: &mut LinkerInstance<'_, CallState>,
    name: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match function {
        "check-write" => instance.func_wrap(name, |_: Store<'_>, _: (Resource<Output>,)| {
            Ok((Ok::<_, StreamError>(WRITE_BYTES_MAX),))
        }),
        "write" | "blocking-write-and-flush" => {
            instance.func_wrap(name, |mut store: Store<'_>, (stream, bytes): (Resource<Output>, Vec<u8>)| {
                let Wasi { handles, transcript, .. } = &mut store.data_mut().wasi;
                transcript.write(handles.get(&stream)?.0, &bytes);
                Ok((Ok::<_, StreamError>(()),))
            })
        }
        "write-zeroes" | "blocking-write-zeroes-and-flush" => {
            instance.func_wrap(name, |mut store: Store<'_>, (stream, count): (Resource<Output>, u64)| {
                if count > WRITE_BYTES_MAX {
                    let most = WRITE_BYTES_MAX;
                    return Err(ended(format!("wrote {count} zeroes at once, {most} are the most")));
                }
                let Wasi { handles, transcript, .. } = &mut store.data_mut().wasi;
                transcript.write(handles.get(&stream)?.0, &vec![0; usize::try_from(count)?]);
                Ok((Ok::<_, StreamError>(()),))
            })
        }
        "flush" | "blocking-flush" => {
            instance.func_wrap(name, |_: Store<'_>, _: (Resource<Output>,)| Ok((Ok::<_, StreamError>(()),)))
        }
        // What could be spliced in is standard input, and that has nothing.
        "splice" | "blocking-splice" => {
            instance.func_wrap(name, |_: Store<'_>, _: (Resource<Output>, Resource<Input>, u64)| {
                Ok((Err::<u64, _>(StreamError::Closed),))
            })
        }
        "subscribe" => {
            instance.func_wrap(name, |store: Store<'_>, _: (Resource<Output>,)| always_ready(store))
        }
        _ => return Ok(false),
    }
    .map(|()| true)
}

/// What can be waited for without waiting.
fn always_ready(mut store: Store<'_>) -> wasmtime::Result<(Resource<Pollable>,)> {
    Ok((store.data_mut().wasi.hold(Pollable(Ready::Always))?,))
}
