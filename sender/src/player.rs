//! Delivers events at their pace by the sender's rules. Knows nothing of HTTP: a function makes the request.

use crate::event::Event;
use crate::policy::{Answer, Ended, ReEnable, Rules, Switch};
use crate::verdict::{Tally, Verdict};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Attempts that were made and not yet counted.
const TOLD_MAX: usize = 256;

/// How fast events come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Events per second; more than 0. Each event has its moment, whatever became of those before: a slow receiver
    /// does not slow the clock.
    pub events_per_s: f64,
    /// The most events on their way at the same time, those that wait for a retry included. When so many are, the
    /// next one waits and the verdict says how late it got.
    pub in_flight_max: usize,
}

/// One request and what it came to.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The event.
    pub event: Event,
    /// The event's number in the run, from 0.
    pub of: u64,
    /// Which attempt at this event it was, from 1.
    pub number: u32,
    /// When it was sent, from the start of the run.
    pub sent_at: Duration,
    /// How long it took.
    pub took: Duration,
    /// What the receiver said.
    pub answer: Answer,
    /// How the event ended with it; `None` when it is tried again.
    pub ended: Option<Ended>,
}

/// What is told while a run goes on.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// An attempt was made.
    Attempt(&'a Attempt),
    /// So many events came while delivery was off.
    Lost(u64),
    /// This attempt was the last straw: delivery is off.
    CutOff(&'a Attempt),
    /// Delivery is on again.
    Enabled,
}

/// Plays the sender.
#[derive(Clone, Debug)]
pub struct Player {
    rules: Rules,
    pace: Pace,
    enabled: Arc<Notify>,
}

/// The person who switches delivery on again.
#[derive(Clone, Debug)]
pub struct Hand(Arc<Notify>);

impl Hand {
    /// Switches delivery on again. Does nothing while it is on.
    pub fn enable(&self) {
        self.0.notify_one();
    }
}

impl Player {
    /// A sender with these rules at this pace.
    #[must_use]
    pub fn new(rules: Rules, pace: Pace) -> Self {
        Self { rules, pace, enabled: Arc::new(Notify::new()) }
    }

    /// Switches its delivery on again where its rules say [`ReEnable::ByHand`].
    #[must_use]
    pub fn hand(&self) -> Hand {
        Hand(Arc::clone(&self.enabled))
    }

    /// Delivers the events, until each has ended or `stop` resolves. Cancel-safe: what is on its way is hung up on,
    /// and what was told before stays true.
    pub async fn play<P, F>(
        &self,
        events: impl IntoIterator<Item = Event>,
        post: P,
        stop: impl Future<Output = ()>,
        tell: impl FnMut(Told<'_>),
    ) -> Verdict
    where
        P: Fn(Event) -> F + Clone + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let (attempts, mut attempted) = mpsc::channel(TOLD_MAX);
        let mut run = Run {
            rules: self.rules,
            started: Instant::now(),
            switch: Switch::new(self.rules.cut_off_after),
            tally: Tally::default(),
            enable_at: None,
            tell,
            events: events.into_iter().peekable(),
            number: 0,
            in_flight: 0,
            tasks: JoinSet::new(),
            attempts,
            post,
        };
        tokio::pin!(stop);
        while run.goes_on() {
            let due = run.due(self.pace);
            let has_room = run.in_flight < self.pace.in_flight_max || !run.switch.is_on();
            let more = run.events.peek().is_some();
            tokio::select! {
                () = &mut stop => break,
                Some(attempt) = attempted.recv() => run.count(&attempt),
                () = sleep_until(due), if more && has_room => run.come(due),
                () = until(run.enable_at), if run.enable_at.is_some() => run.enable(),
                () = self.enabled.notified() => run.enable(),
            }
        }
        run.tally.verdict(run.started.elapsed())
    }
}

async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        sleep_until(at).await;
    }
}

/// A run under way.
struct Run<I: Iterator<Item = Event>, P, T> {
    rules: Rules,
    started: Instant,
    switch: Switch,
    tally: Tally,
    enable_at: Option<Instant>,
    tell: T,
    events: std::iter::Peekable<I>,
    number: u64,
    in_flight: usize,
    tasks: JoinSet<()>,
    attempts: mpsc::Sender<Attempt>,
    post: P,
}

impl<I, P, F, T> Run<I, P, T>
where
    I: Iterator<Item = Event>,
    P: Fn(Event) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
    T: FnMut(Told<'_>),
{
    /// Whether something may still happen. Where nobody will switch delivery on again, what would come is lost now.
    fn goes_on(&mut self) -> bool {
        if !self.switch.is_on() && self.rules.re_enable == ReEnable::Never {
            let lost = self.events.by_ref().map(|_| 1_u64).sum();
            self.lose(lost);
        }
        self.in_flight > 0 || self.events.peek().is_some()
    }

    /// When the next event comes.
    fn due(&self, pace: Pace) -> Instant {
        let number: f64 = f64::from(u32::try_from(self.number).unwrap_or(u32::MAX));
        self.started + Duration::try_from_secs_f64(number / pace.events_per_s).unwrap_or(Duration::MAX / 4)
    }

    /// The next event comes.
    fn come(&mut self, due: Instant) {
        let Some(event) = self.events.next() else { return };
        let of = self.number;
        self.number += 1;
        if !self.switch.is_on() {
            self.lose(1);
            return;
        }
        self.tally.sent(due.elapsed());
        self.in_flight += 1;
        // What has ended leaves the set: a run may be long.
        while self.tasks.try_join_next().is_some() {}
        let (rules, started) = (self.rules, self.started);
        self.tasks.spawn(deliver(rules, started, of, event, self.post.clone(), self.attempts.clone()));
    }

    fn lose(&mut self, events: u64) {
        if events > 0 {
            self.tally.lost(events);
            (self.tell)(Told::Lost(events));
        }
    }

    /// An attempt was made.
    fn count(&mut self, attempt: &Attempt) {
        self.tally.attempt(attempt);
        (self.tell)(Told::Attempt(attempt));
        let Some(how) = attempt.ended else { return };
        self.in_flight -= 1;
        if self.switch.ended(how) {
            self.tally.cut_off(self.started.elapsed(), attempt);
            (self.tell)(Told::CutOff(attempt));
            if let ReEnable::After(pause) = self.rules.re_enable {
                self.enable_at = Some(Instant::now() + pause);
            }
        }
    }

    fn enable(&mut self) {
        self.enable_at = None;
        if !self.switch.is_on() {
            self.switch.enable();
            self.tally.enabled(self.started.elapsed());
            (self.tell)(Told::Enabled);
        }
    }
}

/// Delivers one event, with its retries. What was switched off meanwhile are future events, not this one.
async fn deliver<P, F>(
    rules: Rules,
    started: Instant,
    of: u64,
    event: Event,
    post: P,
    attempts: mpsc::Sender<Attempt>,
) where
    P: Fn(Event) -> F,
    F: Future<Output = Answer>,
{
    for number in 1.. {
        let sent = Instant::now();
        let answer = timeout(rules.answer_max, post(event.clone())).await.unwrap_or(Answer::TimedOut);
        let took = sent.elapsed();
        let pause = rules.pause_after(number);
        let ended = match (answer.is_success(), pause) {
            (true, _) => Some(Ended::Delivered),
            (false, None) => Some(Ended::Failed),
            (false, Some(_)) => None,
        };
        let sent_at = sent.duration_since(started);
        let attempt = Attempt { event: event.clone(), of, number, sent_at, took, answer, ended };
        let is_over = attempts.send(attempt).await.is_err() || ended.is_some();
        match pause {
            Some(pause) if !is_over => sleep(pause).await,
            _ => return,
        }
    }
}
