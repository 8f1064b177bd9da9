//! Says what a failed call was: turns wasmtime's errors into faults. Knows nothing of the contract's types.

use super::limiter::{CallState, Denied};
use super::wasi::Ended;
use crate::fault::Fault;
use crate::limits::{Limits, STACK_BYTES_MAX};
use wasmtime::{ThrownException, Trap, WasmBacktrace};

/// Bytes of text about one fault that are kept: names of functions are as long as the plugin likes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// What is said of an exception that left the plugin. What it was thrown with is the plugin's own.
const UNCAUGHT: &str = "an exception was thrown, and nothing caught it";

/// Where a call failed.
pub(super) enum Failure {
    /// Making the instance, its start function included.
    Start(wasmtime::Error),
    /// Handing over the event, running, or reading the result.
    Call(wasmtime::Error),
}

/// The fault behind a failure. What the plugin was denied explains the trap it then ran into; running out of
/// time or stack stands for itself.
pub(super) fn fault(failure: Failure, state: &CallState, limits: &Limits) -> Fault {
    let (Failure::Start(error) | Failure::Call(error)) = &failure;
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return Fault::WallTime { limit_ms: limits.wall_time_ms },
        Some(Trap::OutOfFuel) => return Fault::Fuel { limit: limits.fuel, backtrace: backtrace(error) },
        Some(Trap::StackOverflow) => {
            return Fault::Stack { limit_bytes: STACK_BYTES_MAX, backtrace: backtrace(error) };
        }
        _ => {}
    }
    match (state.denied(), error.downcast_ref::<Trap>(), &failure) {
        (Some(Denied::Memory(wanted_bytes)), ..) => {
            Fault::Memory { wanted_bytes, limit_bytes: limits.memory_bytes }
        }
        (Some(Denied::Growths), ..) => Fault::MemoryGrowths { limit: limits.memory_growths },
        (Some(Denied::Table(wanted)), ..) => Fault::Table { wanted, limit: limits.table_elements },
        (None, Some(trap), _) => Fault::Trap { cause: trap.to_string(), backtrace: backtrace(error) },
        (None, None, _) if let Some(Ended(why)) = error.downcast_ref() => {
            Fault::Trap { cause: why.clone(), backtrace: backtrace(error) }
        }
        (None, None, _) if error.is::<ThrownException>() => {
            Fault::Trap { cause: UNCAUGHT.to_owned(), backtrace: backtrace(error) }
        }
        (None, None, _) if is_too_much(error) && error.is::<WasmBacktrace>() => {
            // Its own functions were at work, so it was calling the host; an answer is read after they ended.
            Fault::HostcallBytes { limit_bytes: limits.hostcall_bytes, backtrace: backtrace(error) }
        }
        (None, None, Failure::Start(_)) => Fault::Host(cut(format!("start the plugin: {error:#}"))),
        (None, None, Failure::Call(_)) if is_too_much(error) => Fault::ResultBytes {
            actual_bytes: limits.result_bytes.saturating_add(1),
            limit_bytes: limits.result_bytes,
        },
        (None, None, Failure::Call(_)) => Fault::Contract(cut(format!("{error:#}"))),
    }
}

/// Whether the host was to copy more than it may. wasmtime keeps the error's type to itself, so its words must do;
/// `tests/sandbox.rs` fails when they change.
fn is_too_much(error: &wasmtime::Error) -> bool {
    format!("{error:#}").contains("fuel allocated for hostcalls has been exhausted")
}

/// The plugin's own functions, innermost first, one per line.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    let text = backtrace.to_string();
    let frames =
        text.lines().skip(1).map(|line| line.split_once(" - ").map_or(line, |(_, name)| name).trim());
    cut(frames.map(readable).collect::<Vec<_>>().join("\n"))
}

/// A function's name as its author wrote it: without the module before it and the hashes that compilers put into it.
/// A function without a name has a number instead.
fn readable(frame: &str) -> String {
    let mut rest = match frame.split_once('!') {
        Some((module, name)) if !module.contains("::") => name,
        _ => frame,
    };
    if let Some((name, hash)) = rest.rsplit_once("::h")
        && is_hash(hash)
    {
        rest = name;
    }
    let mut name = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        name.push_str(before);
        rest = match after.split_once(']') {
            Some((hash, after)) if is_hash(hash) => after,
            _ => {
                name.push('[');
                after
            }
        };
    }
    name + rest
}

/// Rust's hashes have 16 hexadecimal digits.
fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_functions_name_is_shown_as_its_author_wrote_it() {
        for (frame, name) in [
            ("hostile.wasm!hostile::panic_deep_inside::h0e31b51868e2fc33", "hostile::panic_deep_inside"),
            ("a.wasm!std[a543996e6e7dbf1e]::f::<core[c5930c85a12de822]::X, !>", "std::f::<core::X, !>"),
            ("m!f::<[u8; 4]>", "f::<[u8; 4]>"),
            ("<unknown>!<wasm function 12>", "<wasm function 12>"),
            ("plain", "plain"),
        ] {
            assert_eq!(readable(frame), name);
        }
    }
}
