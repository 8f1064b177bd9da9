//! Bounds how many instances of one engine run at once. Knows nothing of wasm.

use std::sync::{Condvar, Mutex, PoisonError};

/// The free places of one engine.
#[derive(Debug)]
pub(super) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

/// One place, given back when dropped.
pub(super) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(super) const fn new(free: u32) -> Self {
        Self { free: Mutex::new(free), freed: Condvar::new() }
    }

    /// Waits for a place. Every holder has a time limit, so the wait ends.
    pub(super) fn take(&self) -> Slot<'_> {
        // A counter is right whoever panicked beside it.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
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
        assert_eq!(*slots.free.lock().expect("nobody panicked"), 1);
    }
}
