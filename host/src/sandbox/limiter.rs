//! Says yes or no when a running plugin asks for more memory or a larger table. Knows nothing of time.

use super::wasi::Wasi;
use crate::event::Event;
use crate::limits::Limits;
use wasmtime::ResourceLimiter;

/// What one call may use and has asked for.
pub(super) struct CallState {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements_max: usize,
    growths_max: usize,
    growths: usize,
    denied: Option<Denied>,
    /// What it has of WASI, and has written.
    pub(super) wasi: Wasi,
}

/// What was refused: the first of all growths, or the one that ended the call. A plugin that gets on without more
/// memory and answers is at no fault; one that traps afterwards is reported with this cause, not with the trap it ended
/// in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// All memories together would have had this many bytes.
    Memory(usize),
    /// One table would have had this many elements.
    Table(usize),
    /// It asked too often.
    Growths,
}

impl CallState {
    /// For a call about this event; for none when an instance is only started.
    pub(super) fn new(limits: &Limits, event: Option<&Event>) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes,
            memory_bytes: 0,
            table_elements_max: limits.table_elements,
            growths_max: limits.memory_growths,
            growths: 0,
            denied: None,
            wasi: Wasi::new(event, limits.log_bytes),
        }
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// How often a memory or a table asked to grow.
    pub(super) const fn growths(&self) -> usize {
        self.growths
    }

    pub(super) const fn denied(&self) -> Option<Denied> {
        self.denied
    }

    fn deny(&mut self, denied: Denied) -> bool {
        self.denied.get_or_insert(denied);
        false
    }

    /// Counts one question, whatever the answer will be. An error ends the call.
    fn count(&mut self) -> wasmtime::Result<()> {
        self.growths = self.growths.saturating_add(1);
        if self.growths <= self.growths_max {
            return Ok(());
        }
        self.denied = Some(Denied::Growths);
        Err(wasmtime::format_err!("memories and tables may ask {} times to grow", self.growths_max))
    }
}

/// Called at an instance's start for what it declares, and at each `memory.grow` and `table.grow`.
impl ResourceLimiter for CallState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.count()?;
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Past the plugin's own declaration: that fails with or without us, and must not be counted.
            return Ok(false);
        }
        let wanted = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if wanted > self.memory_bytes_max {
            return Ok(self.deny(Denied::Memory(wanted)));
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.count()?;
        if desired > self.table_elements_max {
            return Ok(self.deny(Denied::Table(desired)));
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(memory_bytes: usize) -> CallState {
        CallState::new(&Limits { memory_bytes, table_elements: 10, ..Limits::default() }, None)
    }

    fn grows(state: &mut CallState, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        state.memory_growing(current, desired, maximum).expect("the limiter answers")
    }

    #[test]
    fn memories_are_counted_together() {
        let mut state = state(100);
        assert!(grows(&mut state, 0, 60, None));
        assert!(grows(&mut state, 0, 30, None));
        assert!(!grows(&mut state, 30, 41, None));
        assert_eq!(state.denied(), Some(Denied::Memory(101)));
        assert!(grows(&mut state, 30, 40, None));
    }

    #[test]
    fn growth_past_the_plugins_own_maximum_is_neither_counted_nor_blamed() {
        let mut state = state(100);
        assert!(grows(&mut state, 0, 60, Some(60)));
        for _ in 0..10 {
            assert!(!grows(&mut state, 60, 90, Some(60)));
        }
        assert_eq!(state.denied(), None);
        assert!(grows(&mut state, 0, 40, None));
        assert!(!grows(&mut state, 40, 41, None));
    }

    #[test]
    fn sizes_near_the_end_of_the_address_space_do_not_wrap() {
        let mut state = state(100);
        assert!(grows(&mut state, 0, 60, None));
        assert!(!grows(&mut state, 0, usize::MAX, None));
    }

    #[test]
    fn every_question_counts_and_one_too_many_ends_the_call_whatever_was_denied_before() {
        let limits = Limits { memory_bytes: 100, memory_growths: 3, table_elements: 10, ..Limits::default() };
        let mut state = CallState::new(&limits, None);
        assert!(!grows(&mut state, 0, 101, None));
        assert!(!grows(&mut state, 0, 90, Some(60)));
        assert_eq!(state.denied(), Some(Denied::Memory(101)));
        assert!(state.table_growing(0, 5, None).expect("the third"));
        assert!(state.memory_growing(0, 1, None).is_err());
        assert_eq!((state.denied(), state.growths()), (Some(Denied::Growths), 4));
    }
}
