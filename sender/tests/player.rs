//! The sender's rules in time: against functions under a paused clock, and against a real receiver over HTTP.

#[path = "player/receiver.rs"]
mod receiver;

use receiver::{Receiver, Reply};
use std::future::{Ready, pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidegate_sender::event::Event;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::player::{Attempt, Pace, Player, Told};
use tidegate_sender::policy::{Answer, Ended, ReEnable, Rules};
use tidegate_sender::post::Poster;
use tidegate_sender::verdict::Verdict;
use tokio::time::{Instant, sleep};

const ONE_PER_SECOND: Pace = Pace { events_per_s: 1.0, in_flight_max: 100 };

fn events(count: usize) -> impl Iterator<Item = Event> {
    Life::new(LifeOptions { seed: 1, assets: 10, oddities: Oddities::NONE }).take(count)
}

fn status(status: u16) -> Answer {
    Answer::Status { status, receipt: None }
}

/// Plays against an answer for each request, in their order; the last is repeated. Gives the verdict and all attempts.
async fn play_statuses(rules: Rules, pace: Pace, count: usize, statuses: &[u16]) -> (Verdict, Vec<Attempt>) {
    let left: Arc<Mutex<Vec<u16>>> = Arc::new(Mutex::new(statuses.iter().rev().copied().collect()));
    let post = move |_: Event| -> Ready<Answer> {
        let mut left = left.lock().expect("no holder panics");
        let next = if left.len() > 1 { left.pop() } else { left.last().copied() };
        ready(status(next.expect("there are answers")))
    };
    let mut attempts = Vec::new();
    let verdict = Player::new(rules, pace)
        .play(events(count), post, pending(), |told| {
            if let Told::Attempt(attempt) = told {
                attempts.push(attempt.clone());
            }
        })
        .await;
    (verdict, attempts)
}

fn whole_seconds(attempts: &[Attempt], of: u64) -> Vec<u64> {
    attempts.iter().filter(|attempt| attempt.of == of).map(|attempt| attempt.sent_at.as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_event_is_tried_after_1_2_and_4_seconds_and_has_then_failed() {
    let (verdict, attempts) = play_statuses(Rules::EVENTS_API, ONE_PER_SECOND, 1, &[500]).await;
    assert_eq!(whole_seconds(&attempts, 0), [0, 1, 3, 7]);
    let ended: Vec<_> = attempts.iter().map(|attempt| attempt.ended).collect();
    assert_eq!(ended, [None, None, None, Some(Ended::Failed)]);
    assert_eq!((verdict.failed, verdict.delivered, verdict.lost), (1, 0, 0));
    assert_eq!(verdict.cut_offs, []);
    assert_eq!(verdict.non_2xx["500"], 4);
    assert!(!verdict.is_clean());
}

#[tokio::test(start_paused = true)]
async fn three_failed_events_in_a_row_switch_delivery_off_and_what_comes_then_is_gone() {
    let rules = Rules { backoff: Duration::from_millis(1_100), ..Rules::EVENTS_API };
    let (verdict, attempts) = play_statuses(rules, ONE_PER_SECOND, 30, &[500]).await;
    // The third event comes at 2 s and fails at 9.7 s: those up to then were sent, and end as they end.
    let [cut_off] = verdict.cut_offs.as_slice() else { panic!("{:?}", verdict.cut_offs) };
    assert_eq!((cut_off.at_ms / 100, cut_off.event, cut_off.enabled_at_ms), (97, 2, None));
    assert_eq!((verdict.failed, verdict.lost, verdict.delivered), (10, 20, 0));
    assert!(attempts.iter().all(|attempt| attempt.of <= 9), "no future event is sent");
}

#[tokio::test(start_paused = true)]
async fn two_failed_events_and_a_delivered_one_do_not_switch_delivery_off() {
    let rules = Rules { retries: 0, ..Rules::EVENTS_API };
    let (verdict, _) =
        play_statuses(rules, ONE_PER_SECOND, 8, &[500, 500, 200, 404, 301, 200, 500, 200]).await;
    assert_eq!((verdict.delivered, verdict.failed, verdict.lost), (3, 5, 0));
    assert_eq!(verdict.cut_offs, []);
}

#[tokio::test(start_paused = true)]
async fn delivery_goes_on_when_it_is_switched_on_again() {
    let rules =
        Rules { retries: 0, re_enable: ReEnable::After(Duration::from_millis(4_500)), ..Rules::EVENTS_API };
    let (verdict, attempts) = play_statuses(rules, ONE_PER_SECOND, 12, &[500, 500, 500, 200]).await;
    // Off at 2 s, on at 6.5 s: the events of 3, 4, 5 and 6 s are gone.
    assert_eq!((verdict.failed, verdict.lost, verdict.delivered), (3, 4, 5));
    assert_eq!(verdict.cut_offs[0].enabled_at_ms.map(|ms| ms / 100), Some(65));
    let sent: Vec<_> = attempts.iter().map(|attempt| attempt.of).collect();
    assert_eq!(sent, [0, 1, 2, 7, 8, 9, 10, 11]);
}

#[tokio::test(start_paused = true)]
async fn a_person_switches_delivery_on_by_hand() {
    let rules = Rules { retries: 0, re_enable: ReEnable::ByHand, ..Rules::EVENTS_API };
    let player = Player::new(rules, ONE_PER_SECOND);
    let hand = player.hand();
    let mut lost = 0;
    let post = |event: Event| ready(status(if event.revision == 0 { 500 } else { 200 }));
    let bad = std::iter::repeat_with(|| Event::of_bytes(b"{}")).take(5);
    let verdict = player
        .play(bad.chain(events(5)), post, pending(), |told| {
            if let Told::Lost(events) = told {
                lost += events;
                if lost == 3 {
                    hand.enable();
                }
            }
        })
        .await;
    assert_eq!((verdict.failed, verdict.lost, verdict.delivered), (3, 3, 4));
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_3_1_seconds_comes_too_late_and_one_after_2_9_does_not() {
    for (ms, is_taken) in [(2_900, true), (3_100, false)] {
        let rules = Rules { retries: 0, ..Rules::EVENTS_API };
        let post = move |_: Event| async move {
            sleep(Duration::from_millis(ms)).await;
            status(200)
        };
        let verdict = Player::new(rules, ONE_PER_SECOND).play(events(1), post, pending(), |_| {}).await;
        assert_eq!((verdict.delivered == 1, verdict.failed == 1), (is_taken, !is_taken), "{ms} ms");
        assert_eq!(verdict.non_2xx.get("timed out").copied(), (!is_taken).then_some(1), "{ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_does_not_slow_the_clock() {
    let post = |_: Event| async {
        sleep(Duration::from_millis(2_500)).await;
        status(200)
    };
    let began = Instant::now();
    let pace = Pace { events_per_s: 100.0, in_flight_max: 1_000 };
    let verdict = Player::new(Rules::EVENTS_API, pace).play(events(500), post, pending(), |_| {}).await;
    assert_eq!((verdict.delivered, verdict.retried), (500, 0));
    // Five seconds of events, and the last answer.
    assert_eq!(began.elapsed().as_millis() / 100, 74);
    assert!(verdict.late_max_ms <= 2, "{} ms late", verdict.late_max_ms);
}

#[tokio::test(start_paused = true)]
async fn no_more_events_are_on_their_way_than_the_bound_and_the_verdict_says_how_late_they_got() {
    let (on_their_way, most) = (Arc::new(Mutex::new(0_u32)), Arc::new(Mutex::new(0_u32)));
    let seen = Arc::clone(&most);
    let post = move |_: Event| {
        let (on_their_way, most) = (Arc::clone(&on_their_way), Arc::clone(&most));
        async move {
            let now = {
                let mut count = on_their_way.lock().expect("no holder panics");
                *count += 1;
                *count
            };
            let before = *most.lock().expect("no holder panics");
            *most.lock().expect("no holder panics") = before.max(now);
            sleep(Duration::from_secs(1)).await;
            *on_their_way.lock().expect("no holder panics") -= 1;
            status(204)
        }
    };
    let pace = Pace { events_per_s: 100.0, in_flight_max: 5 };
    let verdict = Player::new(Rules::EVENTS_API, pace).play(events(20), post, pending(), |_| {}).await;
    assert_eq!((verdict.delivered, *seen.lock().expect("no holder panics")), (20, 5));
    assert!((2_800..3_000).contains(&verdict.late_max_ms), "{} ms", verdict.late_max_ms);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_says_what_was_on_its_way() {
    let post = |_: Event| pending();
    let stop = sleep(Duration::from_millis(2_500));
    let verdict = Player::new(Rules::EVENTS_API, ONE_PER_SECOND).play(events(10), post, stop, |_| {}).await;
    assert_eq!((verdict.events, verdict.unfinished, verdict.delivered), (3, 3, 0));
    assert!(!verdict.is_clean());
}

/// Plays over HTTP with quick retries.
async fn play_http(receiver: &Receiver, rules: Rules, count: usize) -> (Verdict, Vec<Attempt>) {
    let poster = Poster::new(&receiver.url()).expect("a URL");
    let post = move |event: Event| {
        let poster = poster.clone();
        async move { poster.post(event.body.to_vec()).await }
    };
    let mut attempts = Vec::new();
    let pace = Pace { events_per_s: 1_000.0, in_flight_max: 1 };
    let verdict = Player::new(rules, pace)
        .play(events(count), post, pending(), |told| {
            if let Told::Attempt(attempt) = told {
                attempts.push(attempt.clone());
            }
        })
        .await;
    (verdict, attempts)
}

const QUICK: Rules = Rules { backoff: Duration::from_millis(1), ..Rules::EVENTS_API };

#[tokio::test]
async fn over_http_a_retry_that_succeeds_is_a_delivery() {
    let receiver = Receiver::start(&[Reply::Status(503), Reply::Status(500), Reply::Receipt("01R")]).await;
    let (verdict, attempts) = play_http(&receiver, QUICK, 2).await;
    assert_eq!((verdict.delivered, verdict.retried, verdict.failed), (2, 1, 0));
    assert!(verdict.is_clean());
    assert_eq!(verdict.ack.count, 1, "only first attempts count as acknowledgements in time");
    let receipt = Answer::Status { status: 200, receipt: Some("01R".into()) };
    assert_eq!(attempts.last().map(|attempt| &attempt.answer), Some(&receipt));
    let expected: Vec<_> = events(2).map(|event| event.body.to_vec()).collect();
    let came: Vec<_> = receiver.came().into_iter().map(|came| came.body).collect();
    assert_eq!(came, [&expected[0], &expected[0], &expected[0], &expected[1]].map(Clone::clone));
    assert!(
        receiver.came().iter().all(|came| came.method == "POST" && came.content_type == "application/json")
    );
}

#[tokio::test]
async fn over_http_three_failed_events_in_a_row_switch_delivery_off() {
    let receiver = Receiver::start(&[Reply::Status(500)]).await;
    let (verdict, _) = play_http(&receiver, QUICK, 10).await;
    assert_eq!((verdict.failed, verdict.lost, verdict.attempts), (3, 7, 12));
    assert_eq!(verdict.cut_offs.len(), 1);
    assert_eq!(verdict.cut_offs[0].event, 2);
    assert!(verdict.sentence().starts_with("cut off: event 2"), "{}", verdict.sentence());
}

#[tokio::test]
async fn over_http_a_redirect_is_a_failure_and_nobody_goes_where_it_leads() {
    let receiver = Receiver::start(&[Reply::Redirect]).await;
    let (verdict, _) = play_http(&receiver, QUICK, 1).await;
    assert_eq!((verdict.failed, verdict.attempts), (1, 4));
    assert_eq!(verdict.non_2xx["308"], 4);
    assert_eq!(receiver.came().len(), 4);
}

#[tokio::test]
async fn over_http_a_receiver_that_hangs_or_drips_its_answer_times_out() {
    let rules = Rules { answer_max: Duration::from_millis(200), retries: 0, ..QUICK };
    for reply in [Reply::Hangs, Reply::Drips] {
        let receiver = Receiver::start(&[reply]).await;
        let (verdict, _) = play_http(&receiver, rules, 1).await;
        assert_eq!(verdict.non_2xx.get("timed out"), Some(&1), "{reply:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn over_http_a_closed_port_is_no_connection() {
    let receiver = Receiver::start(&[Reply::Status(200)]).await;
    let url = receiver.url();
    drop(receiver);
    let answer = Poster::new(&url).expect("a URL").post(Vec::new()).await;
    assert_eq!(answer.label(), "no connection", "{answer:?}");
    let Answer::Broken(how) = answer else { panic!("{answer:?}") };
    assert!(!how.contains("/secret"), "the URL's path may be a secret: {how}");
}

#[tokio::test]
async fn what_is_no_http_url_is_refused_at_once() {
    for url in ["", "localhost:80", "ftp://x/", "not a url"] {
        assert!(Poster::new(url).is_err(), "{url}");
    }
}
