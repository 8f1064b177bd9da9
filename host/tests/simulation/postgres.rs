//! The same runs with their tables in a PostgreSQL database, and with what happens there alone: connections are lost, and
//! commits are answered to nobody.

use super::line::LOSSES;
use super::run::{self, play};
use super::tables::Tables;

/// Of each kind of run.
const SEEDS: u64 = 40;

/// How a run says what was lost: its story without that is as if nothing was.
pub(crate) const LOST: &str = "the line loses ";

/// How many connections are lost at most while a host reads or writes once. When it is one, the store makes up for it and
/// the host hears nothing of it; of more it does.
const fn losses_max(seed: u64) -> usize {
    if seed.is_multiple_of(2) { 1 } else { 4 }
}

/// What happened in the run of this seed.
///
/// # Panics
/// When something did not hold, or what the store was to make up for was heard of.
pub(crate) fn run(seed: u64) -> Vec<String> {
    let story = play(seed, &Tables::in_database(seed, losses_max(seed)));
    if losses_max(seed) == 1 {
        let in_memory = run::run(seed);
        let here: Vec<_> = story.iter().filter(|line| !line.contains(LOST)).collect();
        let parts = here.iter().zip(&in_memory).find(|(here, in_memory)| *here != in_memory);
        assert!(
            parts.is_none() && here.len() == in_memory.len(),
            "{}\nseed {seed} is another run than in memory: {parts:#?}; `cargo xtask sim --seed {seed} --postgres` repeats it",
            story.join("\n")
        );
    }
    story
}

/// Plays these, and sees to it that everything was lost that can be.
fn run_all(seeds: impl Iterator<Item = u64>) {
    let stories: Vec<_> = seeds.flat_map(run).collect();
    for (loss, of) in LOSSES.iter().flat_map(|loss| [(loss, ""), (loss, " of a commit")]) {
        let line = format!("{LOST}{loss:?}{of}");
        assert!(stories.iter().any(|told| told.ends_with(&line)), "no {loss:?}{of} is lost in any run");
    }
}

#[test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
fn a_connection_that_is_lost_is_made_up_for_and_the_run_is_the_same_as_in_memory() {
    run_all((0..2 * SEEDS).step_by(2));
}

#[test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
fn nothing_is_lost_and_nothing_happens_twice_where_connections_are_lost_again_and_again() {
    run_all((1..2 * SEEDS).step_by(2));
}
