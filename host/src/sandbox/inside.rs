//! A store within its limits: the one place that makes one. Knows nothing of what is asked in it.

use super::limiter::CallState;
use super::slot::Slot;
use super::trap::{self, Failure};
use super::{Call, Prepared, Question, Sandbox, Usage, hostcall, v1};
use crate::decision::{Decision, Refusal};
use crate::event::Event;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::log::Log;
use std::sync::Arc;
use wasmtime::Store;

/// Everything a plugin does is done in one of these.
pub(super) struct Inside<'a> {
    pub(super) handler: &'a v1::Handler,
    pub(super) store: Store<CallState>,
    limits: Limits,
    /// Units of fuel it was given; `None` when they are not counted.
    fuel: Option<u64>,
    ticks: u64,
    _slot: Slot<'a>,
}

impl<'a> Inside<'a> {
    /// Waits for a place, and makes the store. `event` is what its WASI is made of, when it is asked about one.
    pub(super) fn new(
        sandbox: &Sandbox,
        plugin: &'a Prepared,
        limits: &Limits,
        event: Option<&Event>,
    ) -> Self {
        let engines = &plugin.0.engines;
        let is_metered = sandbox.metered.get().is_some_and(|metered| Arc::ptr_eq(metered, engines));
        assert!(
            is_metered || Arc::ptr_eq(&sandbox.plain, engines),
            "a plugin runs in the sandbox that prepared it"
        );
        assert!(is_metered || limits.fuel == 0, "a plugin with a limit of fuel was prepared for one");
        let limits = sandbox.bounded(limits);
        let (index, engine, slot) = engines.take();
        let handler = &plugin.0.handlers[index];
        let mut store = Store::new(engine, CallState::new(&limits, event));
        store.limiter(|state| state);
        hostcall::bound(&mut store, &limits, handler.lifts_for_host());
        let fuel = is_metered.then_some(if limits.fuel == 0 { u64::MAX } else { limits.fuel });
        let ticks = sandbox.ticks(limits.wall_time_ms);
        let mut inside = Self { handler, store, limits, fuel, ticks, _slot: slot };
        inside.begin();
        inside
    }

    /// Gives it all of its time and fuel.
    pub(super) fn begin(&mut self) {
        self.store.set_epoch_deadline(self.ticks);
        if let Some(fuel) = self.fuel {
            self.store.set_fuel(fuel).expect("these engines count fuel");
        }
    }

    /// The fault behind a failure.
    pub(super) fn fault(&self, failure: Failure) -> Fault {
        trap::fault(failure, self.store.data(), &self.limits)
    }

    pub(super) fn usage(&self) -> Usage {
        let left = || self.store.get_fuel().expect("these engines count fuel");
        Usage {
            memory_bytes: self.store.data().memory_bytes(),
            memory_growths: self.store.data().growths(),
            fuel: self.fuel.map(|fuel| fuel.saturating_sub(left())),
        }
    }

    /// What came of a call in here.
    pub(super) fn call(&mut self, result: Result<Result<Vec<Decision>, Refusal>, Failure>) -> Call {
        let limit = self.limits.decisions;
        let answer = match result.map_err(|failure| self.fault(failure)) {
            Ok(Ok(decisions)) if decisions.len() > limit => {
                Err(Fault::Decisions { actual: decisions.len(), limit })
            }
            answer => answer,
        };
        let log: Log = self.store.data_mut().wasi.take_log();
        Call { answer, usage: self.usage(), log }
    }
}

/// An instance that stays after it was asked, for those who measure: the host itself asks each event in a fresh one.
pub struct Held<'a> {
    inside: Inside<'a>,
    instance: v1::Instance,
}

impl<'a> Held<'a> {
    pub(super) fn new(mut inside: Inside<'a>) -> Result<Self, Fault> {
        match inside.handler.instance(&mut inside.store) {
            Ok(instance) => Ok(Self { inside, instance }),
            Err(failure) => Err(inside.fault(failure)),
        }
    }

    /// Asks it, with all of its time. After a fault it answers nothing any more.
    pub fn ask(&mut self, question: &Question<'_>) -> Call {
        self.inside.begin();
        let result = self.instance.ask(&mut self.inside.store, question);
        self.inside.call(result)
    }
}
