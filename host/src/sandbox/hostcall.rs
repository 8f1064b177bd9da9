//! Bounds what the host copies on a plugin's behalf. Knows nothing of what the host is called for.
//!
//! wasmtime has one number for both ways in, its *hostcall fuel*: bytes that may be lifted out of a plugin's memory, counted
//! afresh for each call of the host and for the answer
//! ([`Store::set_hostcall_fuel`](https://docs.rs/wasmtime/48/wasmtime/struct.Store.html#method.set_hostcall_fuel)). So it
//! is not a budget of the whole call, and it must be another number while the plugin calls the host than when it answers.

use super::limiter::CallState;
use crate::limits::Limits;
use wasmtime::{CallHook, Store};

/// Sets the limits of a call. `lifts_for_host` says whether the plugin can call the host with anything that is copied; one
/// that cannot is spared the changes.
pub(super) fn bound(store: &mut Store<CallState>, limits: &Limits, lifts_for_host: bool) {
    let (answer_bytes, call_bytes) = (limits.result_bytes, limits.hostcall_bytes);
    store.set_hostcall_fuel(answer_bytes);
    if !lifts_for_host {
        return;
    }
    store.call_hook(move |mut context, hook| {
        match hook {
            CallHook::CallingHost => context.set_hostcall_fuel(call_bytes),
            CallHook::ReturningFromHost => context.set_hostcall_fuel(answer_bytes),
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::super::trap::{self, Failure};
    use super::*;
    use crate::fault::Fault;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Config, Engine};

    /// `run(told, answered)` calls the host with so many bytes, then answers with so many.
    const GUEST: &str = r#"(component
      (import "tell" (func $tell (param "bytes" (list u8))))
      (core module $memory (memory (export "memory") 4)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable)))
      (core instance $memory (instantiate $memory))
      (core func $tell (canon lower (func $tell) (memory (core memory $memory "memory"))))
      (core module $guest
        (import "memory" "memory" (memory 4))
        (import "host" "tell" (func $tell (param i32 i32)))
        (func (export "run") (param $told i32) (param $answered i32) (result i32)
          (call $tell (i32.const 1024) (local.get $told))
          (i32.store (i32.const 0) (i32.const 1024))
          (i32.store (i32.const 4) (local.get $answered))
          (i32.const 0)))
      (core instance $guest (instantiate $guest
        (with "memory" (instance $memory))
        (with "host" (instance (export "tell" (func $tell))))))
      (func (export "run") (param "told" u32) (param "answered" u32) (result (list u8))
        (canon lift (core func $guest "run") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))"#;

    /// The length of what the guest answers.
    fn run(told: u32, answered: u32, limits: &Limits) -> Result<usize, Fault> {
        let engine = Engine::new(Config::new().concurrency_support(false)).expect("an engine");
        let bytes = wat::parse_str(GUEST).expect("the guest's text");
        let component = Component::new(&engine, bytes).expect("a component");
        let mut linker = Linker::<CallState>::new(&engine);
        let tell = |_: wasmtime::StoreContextMut<'_, CallState>, (_bytes,): (Vec<u8>,)| Ok(());
        linker.root().func_wrap("tell", tell).expect("it is free");
        let mut store = Store::new(&engine, CallState::new(limits, None));
        bound(&mut store, limits, true);
        let instance = linker.instantiate(&mut store, &component).expect("an instance");
        let run = instance.get_typed_func::<(u32, u32), (Vec<u8>,)>(&mut store, "run").expect("its type");
        let answer = run.call(&mut store, (told, answered));
        answer
            .map(|(answer,)| answer.len())
            .map_err(|error| trap::fault(Failure::Call(error), store.data(), limits))
    }

    #[test]
    fn a_call_of_the_host_and_the_answer_have_each_their_own_limit() {
        for (result_bytes, hostcall_bytes) in [(100, 1_000), (1_000, 100)] {
            let limits = Limits { result_bytes, hostcall_bytes, ..Limits::default() };
            let [result, hostcall] =
                [result_bytes, hostcall_bytes].map(|bytes| u32::try_from(bytes).expect("small"));
            assert_eq!(run(hostcall, result, &limits), Ok(result_bytes));
            let fault = run(hostcall + 1, result, &limits).expect_err("the call is too large");
            assert!(
                matches!(fault, Fault::HostcallBytes { limit_bytes, .. } if limit_bytes == hostcall_bytes),
                "{fault:?}"
            );
            let fault = run(hostcall, result + 1, &limits).expect_err("the answer is too large");
            assert!(
                matches!(fault, Fault::ResultBytes { limit_bytes, .. } if limit_bytes == result_bytes),
                "{fault:?}"
            );
        }
    }
}
