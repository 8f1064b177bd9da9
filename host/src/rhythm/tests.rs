//! Weeks of made-up sources: whom silence may surprise, and how soon.

use super::*;
use std::ops::RangeInclusive;

/// Monday, 2026-03-02 0:00 UTC.
const MONDAY_MS: u64 = 1_772_409_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const WEEK_MS: u64 = 7 * DAY_MS;
const MINUTE_MS: u64 = 60_000;

/// Chance from a seed: the same each time.
struct Dice(u64);

impl Dice {
    fn one_in(&mut self, sides: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(sides)
    }
}

/// Whether a source has an event in this minute.
type Source = fn(minute_ms: u64, dice: &mut Dice) -> bool;

fn day(at_ms: u64) -> u64 {
    (at_ms - MONDAY_MS) / DAY_MS
}

fn hour(at_ms: u64) -> u64 {
    at_ms / HOUR_MS % 24
}

fn works(at_ms: u64) -> bool {
    day(at_ms) % 7 < 5 && (8..17).contains(&hour(at_ms))
}

/// Several events a minute, day and night.
fn busy(_: u64, _: &mut Dice) -> bool {
    true
}

/// One event in ten minutes, day and night, by chance.
fn steady(_: u64, dice: &mut Dice) -> bool {
    dice.one_in(10)
}

/// People at their desks: an event in five minutes or so, and each day starts some minutes earlier or later.
fn office(at_ms: u64, dice: &mut Dice) -> bool {
    works(at_ms.saturating_sub(day(at_ms) * 37 % 40 * MINUTE_MS)) && dice.one_in(5)
}

/// Two or three times a day somebody changes a few assets, in office hours.
fn bursts(at_ms: u64, _: &mut Dice) -> bool {
    let burst = at_ms / (30 * MINUTE_MS);
    works(at_ms) && Dice(burst).one_in(7)
}

/// An import of three hours, every night.
fn nightly(at_ms: u64, _: &mut Dice) -> bool {
    (1..4).contains(&hour(at_ms))
}

/// An import of less than an hour, in the night to Sunday.
fn weekly(at_ms: u64, _: &mut Dice) -> bool {
    day(at_ms) % 7 == 6 && hour(at_ms) == 2
}

/// A source's rhythm after so long, and when it was called quiet though it was well.
fn live(source: Source, for_ms: u64, clock_moves_in_week: Option<u64>) -> (Rhythm, Vec<u64>) {
    let mut dice = Dice(7);
    let mut rhythm: Option<Rhythm> = None;
    let mut alarms = Vec::new();
    let mut quiet = false;
    for minute in 0..for_ms / MINUTE_MS {
        let at_ms = MONDAY_MS + minute * MINUTE_MS;
        let moved = clock_moves_in_week.is_some_and(|week| at_ms - MONDAY_MS >= week * WEEK_MS);
        let local_ms = if moved { at_ms - HOUR_MS } else { at_ms };
        let speaks = local_ms >= MONDAY_MS && source(local_ms, &mut dice);
        match rhythm.as_mut() {
            None if speaks => rhythm = Some(Rhythm::new(at_ms)),
            Some(rhythm) if speaks => {
                rhythm.event(at_ms, Silence::Natural);
                quiet = false;
            }
            Some(rhythm) if !quiet && rhythm.is_quiet(at_ms) => {
                quiet = true;
                alarms.push(at_ms);
            }
            _ => {}
        }
    }
    (rhythm.expect("it spoke"), alarms)
}

/// Minutes from its last event until a source is called quiet, if ever within three weeks.
fn noticed_after_min(rhythm: &Rhythm) -> Option<u64> {
    (0..3 * WEEK_MS / MINUTE_MS).find(|minute| rhythm.is_quiet(rhythm.last_ms() + minute * MINUTE_MS))
}

#[test]
fn no_source_is_called_quiet_for_its_nights_and_weekends_and_each_is_when_it_stops() {
    let tuesday_noon_ms = DAY_MS + 12 * HOUR_MS;
    let cases: [(&str, Source, u64, RangeInclusive<u64>); 7] = [
        ("busy", busy, tuesday_noon_ms, 10..=20),
        ("busy at night", busy, 3 * HOUR_MS, 10..=20),
        ("steady", steady, tuesday_noon_ms, 60..=240),
        ("office", office, DAY_MS + 10 * HOUR_MS, 30..=150),
        // Over in the evening of Friday: nothing to see until Monday morning is under way.
        ("office, at the weekend", office, 4 * DAY_MS + 18 * HOUR_MS, 62 * 60..=67 * 60),
        ("bursts", bursts, DAY_MS + 10 * HOUR_MS, 600..=20_000),
        ("nightly", nightly, DAY_MS + 3 * HOUR_MS + 55 * MINUTE_MS, 21 * 60..=24 * 60),
    ];
    for (name, source, stops_ms, noticed_min) in cases {
        let (rhythm, alarms) = live(source, 12 * WEEK_MS + stops_ms, None);
        let at_most = if name == "bursts" { 2 } else { 0 };
        assert!(alarms.len() <= at_most, "{name}: called quiet {} times: {alarms:?}", alarms.len());
        let minutes = noticed_after_min(&rhythm);
        assert!(minutes.is_some_and(|it| noticed_min.contains(&it)), "{name}: noticed after {minutes:?} min");
    }
}

#[test]
fn what_happens_within_one_hour_a_week_is_no_rhythm() {
    // `alerts.silence_max_ms` is for such a source.
    let (rhythm, alarms) = live(weekly, 12 * WEEK_MS, None);
    assert_eq!((noticed_after_min(&rhythm), alarms), (None, vec![]));
}

#[test]
fn summer_time_is_no_silence() {
    let sources: [Source; 2] = [office, busy];
    for source in sources {
        assert_eq!(live(source, 9 * WEEK_MS, Some(6)).1, Vec::<u64>::new());
    }
}

#[test]
fn a_new_source_is_not_judged_within_its_first_week() {
    let (rhythm, _) = live(busy, WEEK_MS, None);
    let last_ms = rhythm.last_ms();
    assert!(!rhythm.is_known(last_ms) && rhythm.surprise(last_ms) == 0.0);
    assert!(rhythm.is_quiet(last_ms + HOUR_MS), "the week is over by then");
    let young = Rhythm::new(MONDAY_MS);
    assert!(!young.is_quiet(MONDAY_MS + HISTORY_MS_MIN - 1));
}

#[test]
fn one_outage_does_not_hide_the_next_and_a_known_one_teaches_nothing() {
    let (rhythm, _) = live(busy, 5 * WEEK_MS, None);
    let outage_ends_ms = rhythm.last_ms() + DAY_MS;
    let (mut natural, mut known) = (rhythm.clone(), rhythm.clone());
    natural.event(outage_ends_ms, Silence::Natural);
    known.event(outage_ends_ms, Silence::Unknown);
    assert!(noticed_after_min(&natural).expect("noticed") <= 120);
    assert!(noticed_after_min(&known).expect("noticed") <= 20);
    assert_eq!(known.surprise_max(), rhythm.surprise_max());
    assert!((known.active_slots_per_week() - rhythm.active_slots_per_week()).abs() < 1.0);
}

#[test]
fn events_out_of_order_and_a_clock_that_jumps_change_nothing_for_the_worse() {
    let mut rhythm = Rhythm::new(MONDAY_MS);
    let before = rhythm.clone();
    for at_ms in [0, MONDAY_MS - 1, MONDAY_MS] {
        assert!(!rhythm.event(at_ms, Silence::Natural));
    }
    assert_eq!(rhythm, before);
    assert!(!rhythm.event(MONDAY_MS + 1, Silence::Natural), "the same slot");
    assert!(rhythm.event(MONDAY_MS + SLOT_MS, Silence::Natural), "the next one");
    // Ten thousand years ahead: no loop over all the slots between, no overflow.
    assert!(rhythm.event(u64::MAX / 2, Silence::Natural));
    assert!(rhythm.surprise(u64::MAX).is_finite());
    assert_eq!(rhythm.surprise(0), 0.0);
}

#[test]
fn a_stored_rhythm_is_the_same_rhythm() {
    let (rhythm, _) = live(office, 3 * WEEK_MS, None);
    let record = rhythm.to_record();
    assert!(record.len() < 8_000, "{} bytes", record.len());
    let read = Rhythm::from_record(&record).expect("reads");
    let now_ms = rhythm.last_ms() + DAY_MS;
    assert!((read.surprise(now_ms) - rhythm.surprise(now_ms)).abs() < 1e-6);
    assert!(Rhythm::from_record("{}").is_err());
}
