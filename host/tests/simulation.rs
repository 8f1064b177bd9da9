//! Seeded runs of the host's middle on the real parts, with all that is around it made up: time, chance, the queue, the
//! target, the disk, and death. The same seed is the same run; `cargo xtask sim --seed N` tells its story.

#[path = "simulation/check.rs"]
mod check;
#[path = "home/mod.rs"]
mod home;
#[path = "simulation/host.rs"]
mod host;
#[path = "simulation/line.rs"]
mod line;
#[path = "simulation/permutation.rs"]
mod permutation;
#[path = "simulation/postgres.rs"]
mod postgres;
#[path = "simulation/queue.rs"]
mod queue;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/several.rs"]
mod several;
#[path = "simulation/tables.rs"]
mod tables;
#[path = "simulation/target.rs"]
mod target;
#[path = "simulation/witness.rs"]
mod witness;
#[path = "simulation/world.rs"]
mod world;

use run::run;

/// Seeds in each of the tests below, which can run beside each other.
const SEEDS: u64 = 500;
/// Of several hosts.
const SEVERAL: u64 = 200;

#[test]
fn nothing_is_lost_and_nothing_happens_twice_in_the_first_seeds() {
    (0..SEEDS).for_each(|seed| drop(run(seed)));
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice_in_the_second_seeds() {
    (SEEDS..2 * SEEDS).for_each(|seed| drop(run(seed)));
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice_in_the_third_seeds() {
    (2 * SEEDS..3 * SEEDS).for_each(|seed| drop(run(seed)));
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice_in_the_fourth_seeds() {
    (3 * SEEDS..4 * SEEDS).for_each(|seed| drop(run(seed)));
}

#[test]
fn several_hosts_lose_nothing_and_do_nothing_twice_in_the_first_seeds() {
    (0..SEVERAL).for_each(|seed| drop(several::run(seed)));
}

#[test]
fn several_hosts_lose_nothing_and_do_nothing_twice_in_the_second_seeds() {
    (SEVERAL..2 * SEVERAL).for_each(|seed| drop(several::run(seed)));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..40 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
        assert_eq!(several::run(seed), several::run(seed), "seed {seed} of several hosts");
    }
}

/// For `cargo xtask sim`, which says which seeds in the environment; without, the first.
#[test]
fn a_seed_tells_its_story() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("TIDEGATE_SIM_SEED").unwrap_or(0);
    let is_set = |name| std::env::var_os(name).is_some();
    let run = match (is_set("TIDEGATE_SIM_SEVERAL"), is_set("TIDEGATE_SIM_POSTGRES")) {
        (true, _) => several::run,
        (false, true) => postgres::run,
        (false, false) => run,
    };
    for seed in first..first + number("TIDEGATE_SIM_SEEDS").unwrap_or(1) {
        println!("seed {seed}\n{}", run(seed).join("\n"));
    }
}
