//! What is around the host in a simulated run: the clock, chance, and death. All of it follows from the seed. A run is one
//! thread, so this is a value of its thread: the host's own seams are plain functions.

use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// 2026-01-01 00:00:00.
pub(crate) const START_MS: u64 = 1_767_225_600_000;
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

pub(crate) struct World {
    rng: fastrand::Rng,
    started: Instant,
    story: Vec<String>,
    /// How many steps the host has left to live.
    steps_left: Option<u64>,
    is_dead: bool,
    /// Nothing fails any more.
    is_calm: bool,
    /// What did not hold: a panic in a task of the host need not reach whoever waits for it.
    broken: Vec<String>,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// A new world. To be called within the runtime of the run.
pub(crate) fn begin(seed: u64) {
    let rng = fastrand::Rng::with_seed(seed);
    let world = World {
        rng,
        started: Instant::now(),
        story: Vec::new(),
        steps_left: None,
        is_dead: false,
        is_calm: false,
        broken: Vec::new(),
    };
    WORLD.set(Some(world));
}

/// What happened.
pub(crate) fn end() -> Vec<String> {
    WORLD.take().map(|world| world.story).unwrap_or_default()
}

fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| act(world.as_mut().expect("a run is under way")))
}

/// Draws something.
pub(crate) fn draw<T>(act: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
    with(|world| act(&mut world.rng))
}

/// Whether something goes wrong that does so often in a thousand times.
pub(crate) fn goes_wrong(in_a_thousand: u32) -> bool {
    with(|world| !world.is_calm && world.rng.u32(..1_000) < in_a_thousand)
}

/// A time of so many milliseconds at most.
pub(crate) fn up_to_ms(ms: u64) -> Duration {
    Duration::from_millis(draw(|rng| rng.u64(..=ms)))
}

/// The clock on the host's wall.
pub(crate) fn now_ms() -> u64 {
    let elapsed = with(|world| world.started.elapsed());
    START_MS + u64::try_from(elapsed.as_millis()).expect("a run is short")
}

/// The host's chance.
pub(crate) fn chance() -> f64 {
    draw(fastrand::Rng::f64)
}

/// How long it takes to read the store or to ask plugins: a moment at which the host may die.
pub(crate) fn pause() -> Duration {
    if may_die("within a pause") { FOR_EVER } else { up_to_ms(3) }
}

/// Adds a line to the story.
pub(crate) fn tell(line: impl AsRef<str>) {
    let at_ms = now_ms() - START_MS;
    with(|world| {
        world.story.push(format!("{:>6}.{:03} s  {}", at_ms / 1_000, at_ms % 1_000, line.as_ref()));
    });
}

/// Takes note of what does not hold.
pub(crate) fn must(holds: bool, what: impl FnOnce() -> String) {
    if !holds {
        let what = what();
        tell(format!("BROKEN: {what}"));
        with(|world| world.broken.push(what));
    }
}

/// What did not hold so far.
pub(crate) fn broken() -> Vec<String> {
    with(|world| world.broken.clone())
}

/// How long the story is so far.
pub(crate) fn lines() -> usize {
    with(|world| world.story.len())
}

/// A host begins to live, for so many steps; as long as the run lasts when that is none. From then on nothing fails.
pub(crate) fn is_born(steps: Option<u64>) {
    with(|world| {
        world.is_calm = steps.is_none();
        world.steps_left = steps;
        world.is_dead = false;
    });
}

pub(crate) fn is_dead() -> bool {
    with(|world| world.is_dead)
}

/// A moment at which the host may die. Does not return once it has.
pub(crate) async fn step(before: &str) {
    if may_die(before) {
        pending::<()>().await;
    }
}

fn may_die(before: &str) -> bool {
    if is_dead() {
        return true;
    }
    let dies = with(|world| match &mut world.steps_left {
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    });
    if dies {
        tell(format!("THE HOST DIES {before}"));
        with(|world| world.is_dead = true);
        DIED.with(|died| died.notify_one());
    }
    dies
}

thread_local! {
    static DIED: Arc<Notify> = Arc::default();
}

/// Resolves when the host has died.
pub(crate) async fn death() {
    let died = DIED.with(Arc::clone);
    while !is_dead() {
        died.notified().await;
    }
}
