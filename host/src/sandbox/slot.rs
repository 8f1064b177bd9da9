//! Bounds how many instances of one engine run at once. Knows nothing of wasm.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The places of one engine.
#[derive(Debug)]
pub(super) struct Slots {
    all: u32,
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Debug)]
struct Places {
    free: u32,
    /// Threads that wait for one: when there is none, nobody is woken, for that is a call of the kernel.
    waiting: u32,
}

/// One place, given back when dropped.
pub(super) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(super) const fn new(all: u32) -> Self {
        Self { all, places: Mutex::new(Places { free: all, waiting: 0 }), freed: Condvar::new() }
    }

    /// A place, when all are free.
    pub(super) fn take_if_idle(&self) -> Option<Slot<'_>> {
        let mut places = self.places();
        if places.free < self.all {
            return None;
        }
        places.free -= 1;
        Some(Slot(self))
    }

    /// Waits for a place. Every holder has a time limit, so the wait ends.
    pub(super) fn take(&self) -> Slot<'_> {
        let mut places = self.places();
        places.waiting += 1;
        let free = self.freed.wait_while(places, |places| places.free == 0);
        let mut places = free.unwrap_or_else(PoisonError::into_inner);
        places.waiting -= 1;
        places.free -= 1;
        Slot(self)
    }

    /// How many places are held.
    pub(super) fn held(&self) -> u32 {
        self.all.saturating_sub(self.places().free)
    }

    /// Counters are right whoever panicked beside them.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places();
        places.free += 1;
        if places.waiting > 0 {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let slots = Slots::new(1);
        std::thread::scope(|scope| {
            let first = slots.take();
            let second = scope.spawn(|| drop(slots.take()));
            assert!(!second.is_finished(), "the only place is held");
            drop(first);
            second.join().expect("the second waiter gets the place");
        });
        let places = slots.places();
        assert_eq!((places.free, places.waiting), (1, 0));
    }

    #[test]
    fn an_engine_is_idle_while_nobody_has_a_place() {
        let slots = Slots::new(2);
        let first = slots.take_if_idle().expect("it is idle");
        assert!(slots.take_if_idle().is_none(), "one place is held");
        drop(first);
        assert!(slots.take_if_idle().is_some(), "it is idle again");
    }
}
