//! What the host calls: it lays the event down, runs the program's `main`, and takes up what `run` left. Knows nothing
//! of what is decided.

use crate::contract::{self, Decision, Event, Guest, Refusal};
use std::cell::Cell;

thread_local! {
    static ASKED: Cell<Option<Event>> = const { Cell::new(None) };
    static ANSWERED: Cell<Option<Result<Vec<Decision>, Refusal>>> = const { Cell::new(None) };
}

struct Program;

contract::generated::export!(Program with_types_in contract::generated);

impl Guest for Program {
    fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
        unsafe extern "C" {
            /// The entry that rustc makes of a program's `main`; on this target it has no arguments.
            fn main() -> i32;
        }
        #[cfg(feature = "log")]
        std::panic::set_hook(Box::new(|panic| crate::log_error(panic.to_string())));
        ASKED.set(Some(event));
        // SAFETY: every program has one, and this is the type rustc gives it for this target. A library has none, and
        // does not link.
        unsafe { main() };
        ANSWERED.take().expect("`main` calls tidegate_plugin::run")
    }
}

/// Answers what was asked.
pub(crate) fn answer(handle: impl FnOnce(Event) -> Result<Vec<Decision>, Refusal>) {
    let event = ASKED.take().expect("`main` calls tidegate_plugin::run once");
    ANSWERED.set(Some(handle(event)));
}
