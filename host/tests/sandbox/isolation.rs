//! Nothing of one call is there in the next: memory, grown memory, tables and globals start as the component says,
//! under exactly the settings that ship.

use crate::guest::{Bench, event, wat};
use std::thread;
use tidegate::decision::Refusal;
use tidegate::limits::Limits;
use tidegate::sandbox::{Prepared, Question};

/// Pages of memory that one call grows by. The later ones go beyond what is reset in place (2 MiB).
const PAGES: [u32; 8] = [0, 1, 3, 16, 31, 33, 64, 200];

/// Asks the scribbling guest `rounds` times; each time it looks for traces of the last one first.
fn scribble(bench: &Bench, plugin: &Prepared, rounds: usize) {
    let event = event("any");
    let limits = Limits { wall_time_ms: 20_000, ..Limits::default() };
    for round in 0..rounds {
        let attempt = PAGES[round % PAGES.len()];
        let question = Question { event: &event, attempt, settings: &[], memory: None };
        let answer = bench.sandbox.ask(plugin, &question, &limits);
        assert_eq!(answer, Ok(Err(Refusal::Skip)), "round {round}, grown by {attempt} pages");
    }
}

/// The same component with other bytes in the part of its initial memory that it does not look at.
fn with_another_image(component: &[u8]) -> Vec<u8> {
    let image = b"an image of initial memory";
    let at = component.windows(image.len()).position(|bytes| bytes == image).expect("the image is in there");
    let mut other = component.to_vec();
    other[at + 3..at + 8].copy_from_slice(b"IMAGE");
    other
}

#[test]
fn a_used_instance_leaves_nothing_in_memory_tables_or_globals() {
    let bench = Bench::new();
    let plugin = bench.prepare(&wat("scribbles"));
    scribble(&bench, &plugin, 1_000);
}

#[test]
fn nor_does_it_on_two_threads_at_once() {
    for engines in [1, 2] {
        let bench = Bench::with(|config| config.engines = engines);
        let plugin = bench.prepare(&wat("scribbles"));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| scribble(&bench, &plugin, 500));
            }
        });
    }
}

#[test]
fn nor_is_it_seen_by_another_plugin_in_the_same_place() {
    // One place for one instance, so each plugin gets the memory that the other has just left.
    let bench = Bench::with(|config| {
        config.engines = 1;
        config.instances_max = 1;
        config.memories_max = 1;
        config.tables_max = 1;
    });
    let one = bench.prepare(&wat("scribbles"));
    let other = bench.prepare(&with_another_image(&wat("scribbles")));
    assert_ne!(one.digest(), other.digest());
    for _ in 0..150 {
        scribble(&bench, &one, 3);
        scribble(&bench, &other, 2);
    }
}

#[test]
fn nor_does_one_that_was_stopped_in_the_middle() {
    let bench = Bench::with(|config| config.engines = 1);
    let plugin = bench.prepare(&wat("scribbles"));
    let event = event("any");
    let few = Limits { memory_bytes: 300 << 10, ..Limits::default() };
    for _ in 0..300 {
        scribble(&bench, &plugin, 2);
        let question = Question { event: &event, attempt: 3, settings: &[], memory: None };
        let answer = bench.sandbox.ask(&plugin, &question, &few);
        assert_eq!(answer, Ok(Err(Refusal::RetryAfterMs(8))), "the memory it wanted was refused");
    }
}

#[test]
fn nor_does_it_where_there_is_no_room_for_a_pool() {
    // More memories than the address space can hold, so that instances are made on demand.
    let bench = Bench::with(|config| config.instances_max = 4_000_000);
    let plugin = bench.prepare(&wat("scribbles"));
    scribble(&bench, &plugin, 100);
}
