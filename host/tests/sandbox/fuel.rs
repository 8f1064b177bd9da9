//! Fuel is a limit that is the same on every machine and in every run.

use crate::guest::{Bench, NOTICE_URL, built, event};
use tidegate::event::{Asset, Event, Reference};
use tidegate::fault::Fault;
use tidegate::limits::Limits;
use tidegate::sandbox::{Answer, Prepared, Question, Usage};

const AMPLE: u64 = 10_000_000_000;

fn metered(fuel: u64) -> Limits {
    Limits { fuel, wall_time_ms: 20_000, ..Limits::default() }
}

fn loan() -> Event {
    let loanee = Reference { id: None, name: Some("John Do".into()) };
    Event { asset: Some(Asset { loanee: Some(loanee), ..Asset::default() }), ..event("asset.update") }
}

fn ask(bench: &Bench, plugin: &Prepared, limits: &Limits) -> (Answer, Usage) {
    let settings = [("notice_url".to_owned(), NOTICE_URL.to_owned())];
    let question = Question { event: &loan(), attempt: 1, settings: &settings, memory: None };
    let call = bench.sandbox.call(plugin, &question, limits);
    (call.answer, call.usage)
}

#[test]
fn the_same_event_uses_the_same_fuel_in_every_run_and_on_every_engine() {
    for language in ["rust", "javascript"] {
        let component = built(&format!("plugins/{language}/plugin.wasm"));
        let mut used = Vec::new();
        for _ in 0..2 {
            let bench = Bench::with(|config| config.engines = 2);
            let plugin = bench.sandbox.prepare_for(&component, &metered(AMPLE)).expect("it is admitted");
            let ask = || {
                let (answer, usage) = ask(&bench, &plugin, &metered(AMPLE));
                assert!(matches!(answer, Ok(Ok(decisions)) if decisions.len() == 1), "it decides one thing");
                usage.fuel.expect("it is counted")
            };
            used.extend([ask(), ask()]);
            std::thread::scope(|scope| used.push(scope.spawn(ask).join().expect("the other engine")));
        }
        println!("{language}: {} units of fuel", used[0]);
        assert!(used[0] > 1_000 && used.iter().all(|fuel| *fuel == used[0]), "{language}: {used:?}");
    }
}

#[test]
fn what_an_event_uses_is_enough_for_it_and_less_is_not() {
    let bench = Bench::new();
    let plugin = bench.sandbox.prepare_for(&built("plugins/rust/plugin.wasm"), &metered(AMPLE));
    let plugin = plugin.expect("it is admitted");
    let (answer, usage) = ask(&bench, &plugin, &metered(AMPLE));
    let fuel = usage.fuel.expect("it is counted");
    // The last of it is looked at when the next function or loop begins, so a unit more is certainly enough.
    assert_eq!(ask(&bench, &plugin, &metered(fuel + 1)).0, answer);
    let half = metered(fuel / 2);
    let (short, usage) = ask(&bench, &plugin, &half);
    let Err(Fault::Fuel { limit, backtrace }) = &short else {
        panic!("{short:?}");
    };
    assert!(*limit == fuel / 2 && !backtrace.is_empty(), "{short:?}");
    assert_eq!(usage.fuel, Some(fuel / 2), "all of it was used");
    for _ in 0..5 {
        assert_eq!(ask(&bench, &plugin, &half).0, short, "it ends at the same place each time");
    }
}

#[test]
fn fuel_is_not_counted_when_nobody_asks() {
    let bench = Bench::new();
    let plugin = bench.prepare(&built("plugins/rust/plugin.wasm"));
    assert_eq!(ask(&bench, &plugin, &Limits::default()).1.fuel, None);
}

#[test]
fn a_plugin_with_and_one_without_a_limit_of_fuel_work_side_by_side() {
    let bench = Bench::new();
    let component = built("plugins/rust/plugin.wasm");
    let plain = bench.prepare(&component);
    let counted = bench.sandbox.prepare_for(&component, &metered(AMPLE)).expect("it is admitted");
    for _ in 0..3 {
        let (answer, usage) = ask(&bench, &counted, &metered(AMPLE));
        assert!(usage.fuel.is_some());
        assert_eq!(ask(&bench, &plain, &Limits::default()).0, answer);
        assert!(ask(&bench, &counted, &metered(100)).0.is_err());
    }
}
