//! What is around the hosts in a simulated run: time, clocks, chance, and what befalls them. All of it follows from the seed.
//! A run is one thread, so this is a value of its thread: a host's own seams are plain functions, which ask whose turn it is.

use super::line::{Asks, Fates};
use super::postgres::LOST;
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
    story: Vec<String>,
    /// Nothing fails any more.
    is_calm: bool,
    /// What did not hold: a panic in a task of a host need not reach whoever waits for it.
    broken: Vec<String>,
    hosts: Vec<Body>,
    /// Which host's it is, if any's.
    turn: Option<usize>,
    /// Since the run began.
    now: Duration,
    /// Of the line to a server, where there is one.
    line: Option<Arc<Fates>>,
}

/// A host, as the world sees it.
struct Body {
    /// When it began to live, by its own clock and by the world's.
    born: Instant,
    born_at: Duration,
    /// What is wrong with the clock on its wall.
    clock: Clock,
    /// After how many steps what befalls it next.
    fate: Option<(u64, Mishap)>,
    /// What has befallen it, and was not looked at yet.
    struck: Option<Mishap>,
    is_dead: bool,
    reach: Reach,
    strikes: Arc<Notify>,
}

/// By how much a clock is off when its host begins to live, and by how much more in a million milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) off_ms: i64,
    pub(crate) drift_ppm: i64,
}

/// What befalls a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    Dies,
    /// It does nothing for so many milliseconds.
    Freezes(u64),
    /// The server ends its session.
    LosesSession,
    /// It cannot reach the database for so many milliseconds, and its connection breaks or does not.
    LosesDatabase {
        ms: u64,
        breaks: bool,
    },
    /// It cannot reach the queues for so many milliseconds.
    LosesQueue(u64),
    /// Its commits take up to so many milliseconds from now on.
    GetsSlow(u64),
    /// It is told to end in good order.
    IsStopped,
}

/// What a host reaches, and how fast.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    pub(crate) database: bool,
    pub(crate) queue: bool,
    pub(crate) commit_ms: u64,
}

const REACHES_ALL: Reach = Reach { database: true, queue: true, commit_ms: 8 };

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// A new world, without hosts.
pub(crate) fn begin(seed: u64) {
    let world = World {
        rng: fastrand::Rng::with_seed(seed),
        story: Vec::new(),
        is_calm: false,
        broken: Vec::new(),
        hosts: Vec::new(),
        turn: None,
        now: Duration::ZERO,
        line: None,
    };
    WORLD.set(Some(world));
}

/// Hosts reach their database by a line that these fates have.
pub(crate) fn has_line(fates: Arc<Fates>) {
    with(|world| world.line = Some(fates));
}

/// The host is about to ask this of its database, on a line that may be lost.
pub(crate) fn asks(what: Asks) {
    let Some(line) = with(|world| world.line.clone()) else { return };
    line.lost().iter().for_each(|lost| tell(format!("{LOST}{lost}")));
    line.draw(what);
}

/// What happened.
pub(crate) fn end() -> Vec<String> {
    WORLD.take().map(|world| world.story).unwrap_or_default()
}

fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| act(world.as_mut().expect("a run is under way")))
}

impl World {
    fn host(&mut self) -> &mut Body {
        &mut self.hosts[self.turn.expect("it is a host's turn")]
    }

    fn now(&self) -> Duration {
        self.turn.map_or(self.now, |host| self.hosts[host].now())
    }
}

impl Body {
    fn now(&self) -> Duration {
        self.born_at + self.born.elapsed()
    }
}

/// A host begins to live: nothing befalls it but this. To be called within its runtime; from now on it is its turn.
pub(crate) fn is_born(clock: Clock, fate: Option<(u64, Mishap)>) -> usize {
    with(|world| {
        let (born, born_at, strikes) = (Instant::now(), world.now(), Arc::default());
        let reach = REACHES_ALL;
        world.hosts.push(Body { born, born_at, clock, fate, struck: None, is_dead: false, reach, strikes });
        let host = world.hosts.len() - 1;
        world.turn = Some(host);
        host
    })
}

/// Whose turn it is from now on; else the world's, at this time.
pub(crate) fn turn(host: Option<usize>, now: Duration) {
    with(|world| (world.turn, world.now) = (host, now));
}

/// From now on nothing goes wrong by itself, or it may.
pub(crate) fn be_calm(is_calm: bool) {
    with(|world| world.is_calm = is_calm);
}

/// What befalls this host next.
pub(crate) fn befalls(host: usize, fate: Option<(u64, Mishap)>) {
    with(|world| world.hosts[host].fate = fate);
}

/// What has befallen this host since this was asked last.
pub(crate) fn struck(host: usize) -> Option<Mishap> {
    with(|world| world.hosts[host].struck.take())
}

/// Resolves when something befalls this host.
pub(crate) fn strikes(host: usize) -> Arc<Notify> {
    with(|world| Arc::clone(&world.hosts[host].strikes))
}

/// Looks at what this host reaches, or changes it.
pub(crate) fn reaches<T>(host: usize, look: impl FnOnce(&mut Reach) -> T) -> T {
    with(|world| look(&mut world.hosts[host].reach))
}

/// What the host reaches whose turn it is.
pub(crate) fn reach() -> Reach {
    with(|world| world.host().reach)
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

/// The time that it is, whatever clocks say.
pub(crate) fn true_ms() -> u64 {
    START_MS + whole_ms(with(|world| world.now()))
}

/// The clock on the wall of the host whose turn it is.
pub(crate) fn now_ms() -> u64 {
    let (true_ms, lived_ms, clock) = with(|world| {
        let lived = world.turn.map_or(Duration::ZERO, |host| world.hosts[host].born.elapsed());
        let clock = world.turn.map_or_else(Clock::default, |host| world.hosts[host].clock);
        (START_MS + whole_ms(world.now()), whole_ms(lived), clock)
    });
    let drift_ms = clock.drift_ppm * i64::try_from(lived_ms).expect("a run is short") / 1_000_000;
    true_ms.checked_add_signed(clock.off_ms + drift_ms).expect("a time")
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a run is short")
}

/// The host's chance.
pub(crate) fn chance() -> f64 {
    draw(fastrand::Rng::f64)
}

/// How long it takes to read the store or to ask plugins: a moment at which something may befall the host.
pub(crate) fn pause() -> Duration {
    if is_stopped_by_fate("within a pause") {
        return FOR_EVER;
    }
    asks(Asks::Reads);
    // Who cannot reach the database hears so at once, or when it has waited for long.
    let is_long = !reach().database && draw(fastrand::Rng::bool);
    up_to_ms(if is_long { 4_000 } else { 3 })
}

/// Adds a line to the story.
pub(crate) fn tell(line: impl AsRef<str>) {
    with(|world| {
        let at_ms = whole_ms(world.now());
        let who = match (world.turn, world.hosts.len()) {
            (Some(host), 2..) => format!("host {host}: "),
            _ => String::new(),
        };
        let line = line.as_ref();
        world.story.push(format!("{:>6}.{:03} s  {who}{line}", at_ms / 1_000, at_ms % 1_000));
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

/// A moment at which something may befall the host. Does not return once it has died.
pub(crate) async fn step(before: &str) {
    if is_stopped_by_fate(before) {
        pending::<()>().await;
    }
    if with(|world| world.host().struck.is_some()) {
        // What it is, is seen before the host goes on.
        tokio::task::yield_now().await;
    }
}

fn is_stopped_by_fate(before: &str) -> bool {
    let strikes = with(|world| {
        let host = world.host();
        let fate = host.fate.as_mut().filter(|_| !host.is_dead)?;
        if fate.0 > 0 {
            fate.0 -= 1;
            return None;
        }
        let mishap = fate.1;
        host.fate = None;
        host.struck = Some(mishap);
        host.is_dead = mishap == Mishap::Dies;
        Some((mishap, Arc::clone(&host.strikes)))
    });
    if let Some((mishap, strikes)) = strikes {
        tell(format!("{mishap:?} {before}"));
        strikes.notify_one();
    }
    with(|world| world.host().is_dead)
}
