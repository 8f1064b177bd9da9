use super::money::empty_pulls_per_second;
use super::*;
use crate::partition::PARTITIONS;
use crate::queue::rest::BATCH_MAX;
use std::collections::HashSet;
use tidegate_envelope::{Receipt, SourceName, Unsealed};

/// Seconds of thirty days.
const MONTH_S: f64 = 2_592_000.0;

fn case(store: Kept, events_per_second: f64, figures: &[(&str, f64)]) -> Case {
    let mut case = Case::new(store, events_per_second);
    for (name, value) in figures {
        case.set(name, *value).unwrap();
    }
    case
}

/// Nothing is scarce but queues and the database: pulls as fast as a queue gives, no effects, many cores.
fn wide(events_per_second: f64) -> Plan {
    let figures = [("pull-ms", 20.0), ("effects", 0.0), ("cores", 64.0)];
    case(Kept::Postgres, events_per_second, &figures).plan().unwrap()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn a_queue_takes_five_thousand_a_second_and_not_one_more() {
    for (rate, queues) in [(1.0, 1.0), (5_000.0, 1.0), (5_001.0, 2.0), (10_000.0, 2.0), (20_001.0, 5.0)] {
        assert_eq!(wide(rate).queues, queues, "{rate}");
    }
}

#[test]
fn what_gives_out_first_is_the_queues_until_they_can_do_more_than_the_database() {
    let first = |rate| {
        let plan = wide(rate);
        (plan.resources[0].name, plan.resources[0].gives_out_at, plan.groups)
    };
    // Of four queues; of five, which could do 25,000; then of two databases, as one ends at 22,800.
    assert_eq!(first(20_000.0), ("queues", 20_000.0, 1.0));
    assert_eq!(first(20_001.0), ("database", 22_800.0, 1.0));
    assert_eq!(first(22_800.0), ("database", 22_800.0, 1.0));
    // Each has three queues for its half.
    assert_eq!(first(22_801.0), ("queues", 30_000.0, 2.0));
}

#[test]
fn a_plugin_that_takes_longer_moves_the_end_to_the_hosts() {
    // 34 us + 1,375 us on two cores.
    let python = [("effects", 0.0), ("plugin-us", 1_375.0), ("pull-ms", 20.0)];
    let plan = case(Kept::Sqlite, 1_000.0, &python).plan().unwrap();
    assert_eq!((plan.group_ends.name, plan.hosts), ("hosts", 1.0));
    near(plan.group_ends.gives_out_at, 2e6 / 1_409.0);
    near(plan.resources[0].used_percent(), 100.0 * 1_409.0 / 2_000.0);
    let plan = case(Kept::Sqlite, 5_000.0, &python).plan().unwrap();
    assert_eq!((plan.groups, plan.hosts), (4.0, 4.0));
    // With four at work on one database it is one group, and each has a queue for its own assets.
    let together = [python.as_slice(), &[("hosts-per-database", 4.0)]].concat();
    let plan = case(Kept::Sqlite, 5_000.0, &together).plan().unwrap();
    assert_eq!((plan.groups, plan.hosts, plan.queues), (1.0, 4.0, 4.0));
}

#[test]
fn a_host_that_waits_long_for_each_pull_needs_more_queues() {
    // 100 messages in 60 ms: 1,666.7 a second from each queue.
    let slow = [("effects", 0.0), ("pull-ms", 60.0)];
    let queues = |rate| case(Kept::Sqlite, rate, &slow).plan().unwrap().queues;
    assert_eq!([1_666.0, 1_667.0, 5_000.0, 5_001.0].map(queues), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_limit_says_what_it_rests_on() {
    let pulls = |figures: &[_]| {
        let plan = case(Kept::Sqlite, 1_000.0, figures).plan().unwrap();
        plan.resources.into_iter().find(|it| it.name == "pulls").unwrap().rests_on
    };
    assert_eq!([pulls(&[]), pulls(&[("pull-ms", 20.0)])], ["assumed", "given"]);
}

#[test]
fn outcomes_of_effects_take_their_share_of_the_database() {
    let figures = [("database-per-second", 10_000.0), ("outcomes-per-second", 5_000.0), ("effects", 2.0)];
    let plan = case(Kept::Postgres, 100.0, &figures).plan().unwrap();
    let database = plan.resources.iter().find(|it| it.name == "database").unwrap();
    // 0.1 ms and twice 0.2 ms.
    near(database.gives_out_at, 2_000.0);
    near(database.used_percent(), 5.0);
}

#[test]
fn effects_on_one_target_are_performed_by_one_host() {
    let end = |targets: f64| {
        let figures =
            [("effect-us", 1_000.0), ("outcomes-per-second", 1e6), ("pull-ms", 20.0), ("targets", targets)];
        let plan = case(Kept::Postgres, 1_000.0, &figures).plan().unwrap();
        (plan.group_ends.name, plan.group_ends.gives_out_at.floor())
    };
    // Two cores, 1 ms each; of a hundred targets each host has some, and the database ends first.
    assert_eq!([end(1.0), end(2.0)], [("effects", 2_000.0), ("effects", 4_000.0)]);
    assert_eq!(end(100.0), ("database", 22_291.0));
}

#[test]
fn settings_say_what_they_are_enough_for() {
    let figures =
        [("effects", 2.0), ("target-ms", 50.0), ("targets", 4.0), ("pull-ms", 20.0), ("record-ms", 10.0)];
    let plan = case(Kept::Sqlite, 1_000.0, &figures).plan().unwrap();
    let found: Vec<_> =
        plan.settings.iter().map(|it| (it.key, it.as_it_comes, it.needs, it.enough_up_to)).collect();
    // 100 effects under way, 25 at each target; 1,000 deliveries a second for 50 ms.
    assert_eq!(
        found,
        [
            ("executor.target_in_flight_max", 16.0, 25.0, 640.0),
            ("executor.in_flight_max", 64.0, 100.0, 640.0),
            ("pump.in_flight_max", 1_000.0, 50.0, 20_000.0),
        ]
    );
    assert_eq!(plan.untouched().map(|it| it.key), Some("executor.target_in_flight_max"));
    let none = case(Kept::Sqlite, 1_000.0, &[("effects", 0.0)]).plan().unwrap();
    assert_eq!(none.untouched(), None, "nothing is performed");
}

#[test]
fn a_million_events_cost_a_dollar_fifty_six() {
    let money = |figures: &[_]| case(Kept::Sqlite, 1_000.0, figures).plan().unwrap().money;
    // 0.30 for requests, 3 ms at 0.02, three operations at 0.40; twice those above 64 KB.
    near(money(&[]).per_million, 1.56);
    near(money(&[("event-bytes", 70_000.0)]).per_million, 2.76);
    // 2,592 million events a month, less what the plan has in it.
    let month = money(&[("host-dollars", 40.0)]);
    near(month.requests, 2_582.0 * 0.30);
    near(month.cpu, 7_746.0 * 0.02);
    near(month.operations, 7_775.0 * 0.40);
    near(month.month, 5.0 + 774.6 + 154.92 + 3_110.0 + 40.0);
    let little = case(Kept::Sqlite, 0.01, &[("pull-ms", 1.0)]).plan().unwrap().money;
    near(little.month, 5.0);
}

#[test]
fn empty_pulls_are_those_that_polling_makes() {
    // One every 30 s while nothing comes; hardly any where each pull gives something.
    near(empty_pulls_per_second(0.0) * MONTH_S, 86_400.0);
    assert!(empty_pulls_per_second(100.0) < 1e-9);
    // One event a second: the waits one by one, without the sum's closed form.
    let (mut length, mut empty, mut nothing_yet) = (0.0, 0.0, 1.0);
    for wait_s in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0].into_iter().chain(std::iter::repeat_n(30.0, 100)) {
        length += nothing_yet * wait_s;
        nothing_yet *= f64::exp(-wait_s);
        empty += nothing_yet;
    }
    near(empty_pulls_per_second(1.0), empty / length);
}

#[test]
fn hosts_may_be_away_until_a_queue_is_full_or_forgets() {
    let hours = |rate| {
        case(Kept::Sqlite, rate, &[("event-bytes", 450.0), ("effects", 0.0)]).plan().unwrap().hours_away
    };
    near(hours(1.0), 14.0 * 24.0);
    // 1,000 bytes each: 25 GB in 25,000 s.
    near(hours(1_000.0), 25_000.0 / 3_600.0);
}

#[test]
fn what_is_kept_and_moved_is_what_each_event_takes() {
    let figures = [("days", 1.0), ("peak", 3.0), ("kept-bytes", 550.0), ("written-bytes", 2_000.0)];
    let plan = case(Kept::Postgres, 100.0, &figures).plan().unwrap();
    assert_eq!(plan.peak_per_second, 300.0);
    near(plan.kept_bytes, 100.0 * 86_400.0 * 1_000.0);
    near(plan.written_bytes, 300.0 * 2_000.0);
    near(plan.pulled_bytes, 300.0 * 1_000.0);
    near(plan.server_cores, 300.0 * 23e-6);
    near(plan.requests_per_host, 6.0);
}

#[test]
fn what_cannot_be_is_refused_and_says_what() {
    for (name, value, word) in [
        ("pull-ms", 0.0, "pull-ms cannot be 0"),
        ("cores", -1.0, "cores cannot be -1"),
        ("effects", f64::NAN, "effects cannot be NaN"),
        ("peak", 0.5, "at least 1"),
        ("event-bytes", 100_000.0, "vault"),
    ] {
        let error = case(Kept::Sqlite, 100.0, &[(name, value)]).plan().unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let unknown = Case::new(Kept::Sqlite, 1.0).set("pull", 1.0).unwrap_err();
    assert!(unknown.to_string().contains("pull-ms"), "{unknown}");
    assert!(Case::new(Kept::Sqlite, 0.0).plan().is_err());
}

#[test]
fn each_figure_has_a_place_of_its_own_in_a_case() {
    let mut case = Case::new(Kept::Sqlite, 1.0);
    let mut value = 0.0;
    for figure in &FIGURES {
        value += 1.0;
        case.set(figure.name, value).unwrap();
    }
    let values: Vec<_> = case.figures().map(|(_, value, _)| value).collect();
    let counted: Vec<_> =
        std::iter::successors(Some(1.0), |value| Some(value + 1.0)).take(FIGURES.len()).collect();
    assert_eq!(values, counted);
    let names: HashSet<_> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), FIGURES.len());
    let fields = serde_json::to_value(&case).unwrap();
    let fields: HashSet<_> = fields.as_object().unwrap().keys().map(|key| key.replace('_', "-")).collect();
    let others = ["store", "events-per-second"].map(str::to_owned);
    assert_eq!(fields, names.into_iter().map(str::to_owned).chain(others).collect());
}

/// A figure that another place has too.
fn usual(name: &str) -> [f64; 2] {
    FIGURES.iter().find(|figure| figure.name == name).unwrap().usual
}

#[test]
fn figures_are_what_their_sources_in_this_repository_say() {
    let shard = include_str!("../../../worker/src/shard.rs");
    let max = shard
        .split_once("pub const SHARDS_MAX: usize = ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .unwrap();
    assert_eq!(usual("queues-max")[0], max.0.parse::<f64>().unwrap());
    assert_eq!(usual("pull-batch")[0], f64::from(u32::try_from(BATCH_MAX).unwrap()));

    assert_eq!(usual("hosts-per-database"), [1.0, f64::from(PARTITIONS)]);

    let readme = include_str!("../../../README.md");
    for (language, us) in LANGUAGES {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {language} | "))).unwrap();
        // Behind the row's first bar: language, component, machine code, compile, imports, memory, 64 at once.
        assert_eq!(row.split(" | ").nth(7), Some(format!("{us} us").as_str()), "{row}");
    }
    let rust = LANGUAGES.iter().find(|(language, _)| *language == "rust").unwrap();
    assert_eq!(usual("plugin-us")[0], rust.1);

    let measured = include_str!("../../../ARCHITECTURE.md");
    for (bench, reached) in [
        ("`pipeline`: queued", "| 53,300 to 68,400 events/s"),
        ("`pipeline-cpu`", "| 26.2 to 32.8 us |"),
        ("`pipeline-outcomes`", "| 84,500 to 103,600 effects/s"),
        ("`pipeline-written`", "| 5,235 and 1,217 bytes |"),
        ("`pipeline-postgres` (", "| 22,800 to 37,500 events/s"),
        ("`pipeline-postgres-cpu`", "| 24 to 31 us, and 19.8 to 23.2 us |"),
        ("`pipeline-postgres-outcomes`", "| 3,600 to 7,600 effects/s"),
        ("`pipeline-postgres-written`", "| 2,288 and 1,642 bytes |"),
        ("`effects-cpu`", "| 189 to 217 us |"),
    ] {
        let row = measured.lines().find(|line| line.starts_with(&format!("| {bench}"))).unwrap_or(bench);
        assert!(row.contains(reached), "{row}: capacity/figure.rs has {reached}");
    }
}

#[test]
fn an_envelope_is_as_large_as_its_figure_says() {
    let source = SourceName::new("amj").unwrap();
    let unsealed = Unsealed {
        receipt: Receipt::new(1_700_000_000_000, 1),
        source: &source,
        profile: Some("amj"),
        method: "POST",
        headers: &[
            ("user-agent", "Asset Management for Jira"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ],
        content_type: Some("application/json"),
    };
    // Of an asset with three fields a sixth are quotes, which are escaped.
    let body = "{\"a\":\"bcdefgh\"}".repeat(30);
    let beyond = unsealed.seal(body.as_bytes()).unwrap().len() - body.len();
    let figure = usual("envelope-bytes")[0];
    assert!(
        (0.9..=1.1).contains(&(f64::from(u32::try_from(beyond).unwrap()) / figure)),
        "{beyond} bytes, not {figure}"
    );
}
