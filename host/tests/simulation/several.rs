//! A run of several hosts on one store, from its seed to its verdict. Each has a runtime and a clock of its own; the world
//! lets them act one after the other, a few milliseconds each, so they are together to within that.

use super::check;
use super::host::{self, End, Part};
use super::queue::BadQueue;
use super::run::{LINES_MAX, RUN_MS_MAX, nothing_is_due, runtime};
use super::scenario::{Posted, Scenario};
use super::target::Target;
use super::witness::Witness;
use super::world::{self, Clock, Mishap, tell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tidegate::holding::Holding;
use tidegate::partition::{self, Partitions};
use tidegate::store::group::{Group as _, Host};
use tidegate::store::sql::{Server, SqlStore};
use tidegate_envelope::spread;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Hosts that are there at the same time, at most.
const HOSTS_MAX: usize = 4;
/// When a server ends a session from which it hears nothing, in milliseconds: 15 s after the last heartbeat.
const SILENT_MS: std::ops::Range<u64> = 11_000..15_000;
/// The longest that hosts act one after the other when nothing happens.
const SLICE_MS_MAX: u64 = 200;

/// One host of the run.
struct Seat {
    /// Which it is for the world, and for the server.
    host: usize,
    id: i64,
    runtime: Runtime,
    /// Up to when it has lived.
    at: Duration,
    holding: watch::Receiver<Partitions>,
    stop: watch::Sender<bool>,
    life: JoinHandle<End>,
    thaws_at: Option<Duration>,
    /// Counts what the server did not hear it through.
    silences: u64,
}

/// What happens at a time.
enum Later {
    Comes,
    /// The server ends the sessions of a host that was silent since the so-manieth silence.
    Ends {
        id: i64,
        silence: u64,
    },
    /// It ends those that the host has given up.
    Notices(i64),
    ReachesDatabase(usize),
    ReachesQueue(usize),
}

struct Run {
    scenario: Arc<Scenario>,
    queues: Vec<BadQueue>,
    target: Target,
    server: Arc<Server>,
    observer: SqlStore,
    own: Runtime,
    witness: Witness,
    seats: Vec<Seat>,
    later: Vec<(Duration, Later)>,
    mishaps_left: u32,
    came: usize,
    slice_ms: u64,
}

/// What happened in the run of this seed.
///
/// # Panics
/// When something did not hold; the story is printed before.
pub(crate) fn run(seed: u64) -> Vec<String> {
    let mut begun = None;
    let ended = catch_unwind(AssertUnwindSafe(|| begun.insert(Run::begin(seed)).play()));
    let ended = ended.map(|()| assert_eq!(world::broken(), Vec::<String>::new()));
    // What is left of the hosts ends with their runtimes, and needs its world until then.
    drop(begun);
    let story = world::end();
    if let Err(panic) = ended {
        println!(
            "{}\nseed {seed} fails; `cargo xtask sim --several --seed {seed}` repeats it",
            story.join("\n")
        );
        std::panic::resume_unwind(panic);
    }
    story
}

impl Run {
    fn begin(seed: u64) -> Self {
        world::begin(seed);
        let scenario = world::draw(Scenario::draw);
        let name = format!("several-{:?}-{seed}", std::thread::current().id());
        let server = Server::new(&name).expect("a server");
        let (own, asks) = (runtime(), scenario.asks);
        let (observer, mut disk) = SqlStore::in_memory(&name, || Duration::ZERO).expect("a store");
        own.block_on(host::record_versions(&observer, &mut disk, asks));
        let queues = world::draw(|rng| rng.u64(1..=2));
        let mut posted: Vec<Vec<Posted>> = (0..queues).map(|_| Vec::new()).collect();
        for one in &scenario.posted {
            // A neighbour takes it at times.
            let aside = u64::from(world::goes_wrong(100));
            let queue = (spread(one.subject.as_bytes()) % queues + aside) % queues;
            posted[usize::try_from(queue).expect("few")].push(one.clone());
        }
        let queues = posted.into_iter().map(|posted| BadQueue::new(posted, observer.clone())).collect();
        for (number, told) in scenario.told.iter().enumerate() {
            tell(format!("the sender will tell {number}, {} times: {}", told.receipts.len(), told.body()));
        }
        let target = Target::at(&server);
        let witness = Witness::new(&name, Arc::clone(&server));
        let mut run = Self {
            scenario: Arc::new(scenario),
            queues,
            target,
            server,
            observer,
            own,
            witness,
            seats: Vec::new(),
            later: Vec::new(),
            mishaps_left: world::draw(|rng| rng.u32(0..=8)),
            came: 0,
            slice_ms: 1,
        };
        for _ in 0..world::draw(|rng| rng.usize(2..=HOSTS_MAX)) {
            let at = world::up_to_ms(1_500);
            run.later.push((at, Later::Comes));
        }
        run
    }

    fn play(&mut self) {
        let (mut look_at, mut lines) = (Duration::ZERO, 0);
        loop {
            let now = self.now();
            world::turn(None, now);
            self.happen(now);
            if self.mishaps_left == 0
                && self.later.is_empty()
                && self.seats.iter().all(|it| it.thaws_at.is_none())
            {
                world::be_calm(true);
                if now >= look_at {
                    look_at = now + Duration::from_millis(500);
                    if self.is_done() {
                        break;
                    }
                }
            }
            self.let_one_act(now);
            // Nothing happened: coarser, for as long as that is so.
            self.slice_ms = if world::lines() == lines { (self.slice_ms + 1).min(SLICE_MS_MAX) } else { 8 };
            lines = world::lines();
            assert!(now < Duration::from_millis(RUN_MS_MAX), "something is stuck: it never ends");
            assert!(lines < LINES_MAX, "something is done over and over: it never ends");
            assert_eq!(world::broken(), Vec::<String>::new());
        }
        tell("nothing is left to do");
        let Self { own, scenario, observer, target, .. } = self;
        own.block_on(check::done(scenario, observer, target));
        tell(check::summary(&own.block_on(check::rows(observer)), target));
    }

    /// The time up to which everyone who acts has acted.
    fn now(&self) -> Duration {
        let acting = self.seats.iter().map(|seat| seat.thaws_at.unwrap_or(seat.at));
        let later = self.later.iter().map(|(at, _)| *at);
        acting.chain(later).min().expect("there is a host, or there will be one")
    }

    fn happen(&mut self, now: Duration) {
        self.later.sort_by_key(|(at, _)| *at);
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            match self.later.remove(0).1 {
                Later::Comes => self.come(now),
                Later::Ends { id, silence } => {
                    if self.seats.iter().find(|seat| seat.id == id).is_none_or(|it| it.silences == silence) {
                        tell(format!("the server ends the sessions of number {id}"));
                        self.server.end_sessions(id, false);
                    }
                }
                Later::Notices(id) => self.server.end_sessions(id, true),
                Later::ReachesDatabase(host) => {
                    world::reaches(host, |reach| reach.database = true);
                    if let Some(seat) = self.seats.iter_mut().find(|seat| seat.host == host) {
                        seat.silences += 1;
                        self.server.connect(seat.id, true);
                        tell(format!("host {host} reaches the database"));
                    }
                }
                Later::ReachesQueue(host) => world::reaches(host, |reach| reach.queue = true),
            }
        }
    }

    /// One more host.
    fn come(&mut self, now: Duration) {
        let (runtime, name) = (runtime(), format!("host-{}", self.came));
        self.came += 1;
        let (off_ms, drift_ppm) = world::draw(|rng| (rng.i64(-30_000..=30_000), rng.i64(-2_000..=2_000)));
        let _entered = runtime.enter();
        let host = world::is_born(Clock { off_ms, drift_ppm }, None);
        let this = Host { name, queues: self.queues.len() };
        let (store, disk) =
            SqlStore::in_memory_shared(&self.server, this, world::pause).expect("it is let in");
        let id = store.own().expect("it is one of several");
        tell(format!("comes as number {id}; its clock is off by {off_ms} ms"));
        let holding = Holding::new(Partitions::NONE);
        let (held, (stop, stopped)) = (holding.watch(), watch::channel(false));
        let part = Part { store, holding, recorded: Arc::default(), stopped };
        let given = (Arc::clone(&self.scenario), self.queues.clone());
        let life = runtime.spawn(host::share(part, disk, given, self.target.clone()));
        drop(_entered);
        self.next_mishap(host);
        self.seats.push(Seat {
            host,
            id,
            runtime,
            at: now,
            holding: held,
            stop,
            life,
            thaws_at: None,
            silences: 0,
        });
        world::turn(None, now);
    }

    /// What befalls this host next, if that is not enough.
    fn next_mishap(&mut self, host: usize) {
        if self.mishaps_left == 0 {
            return;
        }
        let fate = world::draw(|rng| {
            let (short_ms, long_ms) = (rng.u64(10..8_000), rng.u64(12_000..25_000));
            let ms = if rng.bool() { short_ms } else { long_ms };
            let mishap = match rng.u8(..12) {
                0..=2 => Mishap::Dies,
                3..=5 => Mishap::Freezes(ms),
                6 => Mishap::LosesSession,
                7 | 8 => Mishap::LosesDatabase { ms, breaks: rng.bool() },
                9 => Mishap::LosesQueue(ms),
                10 => Mishap::GetsSlow(rng.u64(50..5_000)),
                _ => Mishap::IsStopped,
            };
            (rng.u64(..250), mishap)
        });
        world::befalls(host, Some(fate));
    }

    /// The one acts that is furthest behind.
    fn let_one_act(&mut self, now: Duration) {
        let behind = |seat: &Seat| (seat.thaws_at.unwrap_or(seat.at), seat.host);
        let Some(at) = (0..self.seats.len()).min_by_key(|at| behind(&self.seats[*at])) else { return };
        let seat = &mut self.seats[at];
        if seat.thaws_at.unwrap_or(seat.at) > now {
            return;
        }
        if !world::goes_wrong(200) {
            self.server.tell(seat.id, world::reaches(seat.host, |reach| reach.database));
        }
        let slice = world::draw(|rng| Duration::from_millis(rng.u64(1..=self.slice_ms)));
        world::turn(Some(seat.host), now);
        if let Some(at) = seat.thaws_at.take() {
            seat.silences += 1;
            seat.runtime.block_on(async {
                tokio::time::advance(at - seat.at).await;
                tell("goes on");
            });
            seat.at = at;
        }
        let strikes = world::strikes(seat.host);
        let (from, until) = (seat.at, seat.at + slice);
        seat.at = seat.runtime.block_on(async {
            let began = tokio::time::Instant::now();
            tokio::select! {
                biased;
                () = strikes.notified() => {}
                () = tokio::time::sleep_until(began + slice) => {}
            }
            until.min(from + began.elapsed())
        });
        self.witness.look(seat.id, &seat.holding.borrow());
        if let Some(mishap) = world::struck(seat.host) {
            self.befall(at, mishap);
        }
        self.see_who_ended();
    }

    fn befall(&mut self, at: usize, mishap: Mishap) {
        self.mishaps_left = self.mishaps_left.saturating_sub(1);
        let Seat { host, id, at: now, silences, .. } = self.seats[at];
        let in_ms = |ms: u64| now + Duration::from_millis(ms);
        let silent_ms = world::draw(|rng| rng.u64(SILENT_MS));
        let silence = silences;
        match mishap {
            Mishap::Dies => return self.die(at),
            Mishap::Freezes(ms) => {
                self.seats[at].thaws_at = Some(in_ms(ms));
                self.later.push((in_ms(silent_ms), Later::Ends { id, silence }));
            }
            Mishap::LosesSession => self.server.end_sessions(id, false),
            Mishap::LosesDatabase { ms, breaks } => {
                world::reaches(host, |reach| reach.database = false);
                self.server.connect(id, false);
                self.later.push((in_ms(ms), Later::ReachesDatabase(host)));
                self.later.push((in_ms(silent_ms), Later::Ends { id, silence }));
                if breaks {
                    self.server.lose(id);
                    self.later.push((in_ms(silent_ms), Later::Notices(id)));
                }
            }
            Mishap::LosesQueue(ms) => {
                world::reaches(host, |reach| reach.queue = false);
                self.later.push((in_ms(ms), Later::ReachesQueue(host)));
            }
            Mishap::GetsSlow(ms) => world::reaches(host, |reach| reach.commit_ms = ms),
            Mishap::IsStopped => {
                self.seats[at].stop.send_replace(true);
            }
        }
        self.next_mishap(host);
    }

    /// It is gone, with all that it knew; the server sees it at once or later.
    fn die(&mut self, at: usize) {
        let Seat { id, at: now, silences, runtime, .. } = self.seats.remove(at);
        drop(runtime);
        let until_seen = if world::draw(fastrand::Rng::bool) { 0 } else { 15_000 };
        let seen_at = now + world::up_to_ms(until_seen);
        self.later.push((seen_at, Later::Ends { id, silence: silences }));
        self.replace(now);
        self.own.block_on(check::whole(&self.scenario, &self.observer));
    }

    fn replace(&mut self, now: Duration) {
        self.later.push((now + world::up_to_ms(8_000), Later::Comes));
        if self.seats.len() + 1 < HOSTS_MAX && world::goes_wrong(200) {
            self.later.push((now + world::up_to_ms(8_000), Later::Comes));
        }
    }

    fn see_who_ended(&mut self) {
        while let Some(at) = self.seats.iter().position(|seat| seat.life.is_finished()) {
            let Seat { host, id, runtime, life, at: now, .. } = self.seats.remove(at);
            world::turn(Some(host), now);
            let end = runtime.block_on(life).expect("a host does not panic");
            drop(runtime);
            world::turn(None, now);
            tell(format!("host {host} has ended: {end:?}"));
            self.server.end_sessions(id, false);
            self.replace(now);
        }
    }

    fn is_done(&self) -> bool {
        let observer = &self.observer;
        self.is_shared_out()
            && self.queues.iter().all(BadQueue::is_empty)
            && self.own.block_on(async {
                let errands =
                    [true, false].map(|deliveries| observer.errands(Partitions::ALL, deliveries, 1));
                let [deliveries, others] = errands;
                deliveries.await.expect("reads").is_empty()
                    && others.await.expect("reads").is_empty()
                    && nothing_is_due(observer).await
            })
    }

    /// Whether everything is somebody's, and each has its part, as the server sees it and as they do.
    fn is_shared_out(&self) -> bool {
        let mut seats: Vec<_> = self.seats.iter().collect();
        seats.sort_by_key(|seat| seat.id);
        seats.iter().enumerate().all(|(place, seat)| {
            let share = partition::share(place, seats.len(), self.queues.len());
            *seat.holding.borrow() == share && self.server.held(seat.id) == Some(share)
        })
    }
}
