mod bindings { wit_bindgen::generate!({ path: "wit/plugin.wit", world: "plugin", pub_export_macro: true }); }
pub use bindings::exports::tidegate::plugin::handler::*;
use std::cell::RefCell;
thread_local! {
static PENDING: RefCell<Option<Event>> = const { RefCell::new(None) };
static ANSWER: RefCell<Option<Result<Vec<Decision>, Refusal>>> = const { RefCell::new(None) };
}
struct P;
impl Guest for P {
    fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
        PENDING.set(Some(event));
        unsafe extern "C" { fn main() -> i32; }
        unsafe { main(); }
        ANSWER.take().expect("main calls tidegate_plugin::run")
    }
}
bindings::export!(P with_types_in bindings);
pub fn run(handle: impl FnOnce(Event) -> Result<Vec<Decision>, Refusal>) {
    let e = PENDING.take().expect("pending");
    ANSWER.set(Some(handle(e)));
}
