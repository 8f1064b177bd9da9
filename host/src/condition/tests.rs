use super::*;

const BOUNDS: Bounds = Bounds {
    waiting_ms: Some(1_000),
    parked: Some(0),
    disk_percent: Some(90),
    store_bytes: None,
    backlog: Some(100),
    host_gone_ms: None,
};

/// What each condition's sample is made of.
fn sample(condition: Condition, value: u64) -> Sample {
    let mut sample = Sample::default();
    let slot = match condition {
        Condition::Waiting => &mut sample.waiting_ms,
        Condition::Parked => &mut sample.parked,
        Condition::Disk => &mut sample.disk_percent,
        Condition::Store => &mut sample.store_bytes,
        Condition::Backlog => &mut sample.backlog,
    };
    *slot = Some(value);
    sample
}

/// What is said of these values, one look after the other: `+` begins, `-` over, `.` nothing. The memory is read anew
/// before each look, as if the host had been started again.
fn said(condition: Condition, values: &[u64]) -> String {
    let mut memory = Memory::default();
    let mut said = String::new();
    for (at_ms, value) in (1..).zip(values) {
        let read = Memory::from_record(&memory.to_record()).expect("a memory is read as it was stored");
        let (next, news) = look(&read, &BOUNDS, &sample(condition, *value), at_ms);
        memory = next;
        said.push(match news.first().map(|news| news.turn) {
            None => '.',
            Some(Turn::Begins) => '+',
            Some(Turn::Over) => '-',
        });
        assert!(news.len() <= 1);
    }
    said
}

#[test]
fn each_condition_is_said_once_when_it_begins_and_once_when_it_is_over() {
    for (condition, values, expected) in [
        (Condition::Waiting, &[0, 1_000, 1_001, 5_000, 900, 900, 900, 900][..], "..+....."),
        (Condition::Waiting, &[1_001, 800, 800, 800, 800], "+..-."),
        // To and fro within one episode, and then another one.
        (Condition::Waiting, &[1_001, 0, 0, 1_001, 0, 0, 0, 1_001], "+.....-+"),
        (Condition::Parked, &[0, 1, 2, 9, 1, 0, 0, 0, 1], ".+.....-+"),
        (Condition::Disk, &[89, 90, 91, 90, 89, 89, 89, 88, 88, 88], "..+......-"),
        (Condition::Backlog, &[100, 101, 81, 80, 80, 80, 101], ".+...-+"),
        // Nobody wants to hear of it.
        (Condition::Store, &[0, u64::MAX], ".."),
    ] {
        assert_eq!(said(condition, values), expected, "{condition:?} {values:?}");
    }
}

#[test]
fn what_cannot_be_measured_begins_and_ends_nothing() {
    let (open, news) = look(&Memory::default(), &BOUNDS, &sample(Condition::Backlog, 101), 7);
    assert_eq!(
        news,
        [News {
            condition: Condition::Backlog,
            turn: Turn::Begins,
            value: 101,
            bound: 100,
            since_ms: 7,
            at_ms: 7
        }]
    );
    let mut memory = open.clone();
    for at_ms in 8..20 {
        let (next, news) = look(&memory, &BOUNDS, &Sample::default(), at_ms);
        assert_eq!(news, []);
        memory = next;
    }
    assert_eq!(memory, open);
}

#[test]
fn one_that_nobody_wants_to_hear_of_any_more_is_forgotten_silently() {
    let (open, _) = look(&Memory::default(), &BOUNDS, &sample(Condition::Backlog, 101), 1);
    let (next, news) = look(&open, &Bounds::default(), &sample(Condition::Backlog, 101), 2);
    assert_eq!((next, news), (Memory::default(), vec![]));
}

#[test]
fn a_stored_memory_of_the_first_version_is_read() {
    let record = r#"{"v":1,"open":{"parked":{"since_ms":5,"calm":2}}}"#;
    let memory = Memory::from_record(record).expect("is read");
    assert_eq!(memory.to_record(), record);
    let (_, news) = look(&memory, &BOUNDS, &sample(Condition::Parked, 0), 9);
    assert_eq!((news[0].turn, news[0].since_ms), (Turn::Over, 5));
}
