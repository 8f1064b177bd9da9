//! What a version would have decided: asked of a store that the pipeline filled, compared with what was decided, and what
//! the gate makes of it.

use super::stage::{Delivered, Stage, event};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::deploy::{By, Role};
use tidegate::dryrun::Run;
use tidegate::dryrun::tally::{Outcome, Tally};
use tidegate::gate::GateBounds;
use tidegate::plugin::Version;
use tidegate::store::past::PastQuery;

const HOSTS: &str = "hosts = [\"127.0.0.1\"]\n[settings]\n";

fn by() -> By {
    By { approve: true, ..By::default() }
}

/// An event that does not say what to do: the plugin's setting does.
fn open_event(asset: u32, second: u32) -> Delivered {
    let Delivered { receipt, body } = event(asset, second, "note x");
    Delivered { receipt, body: body.replace(",\"do\":\"note x\"", "") }
}

async fn deliver(stage: &Stage, events: Vec<Delivered>) {
    let mut events = events.into_iter().peekable();
    while events.peek().is_some() {
        stage.deliver(&events.by_ref().take(100).collect::<Vec<_>>()).await;
    }
}

/// All that was recorded, asked of this version; against what was recorded, or another version.
async fn dry(stage: &Stage, candidate: &Version, against: Option<&Version>) -> Tally {
    let versions = &stage.deployer().versions;
    let candidate = versions.get(candidate).await.expect("it can be asked");
    let against = match against {
        Some(version) => Some(versions.get(version).await.expect("it can be asked")),
        None => None,
    };
    let manifest = Arc::new(candidate.manifest.clone());
    let (run, dry_run) = (Run { candidate, against, told_max: 5 }, stage.dry_run());
    let (mut tally, mut before) = (Tally::default(), None);
    loop {
        let query = PastQuery { manifest: Arc::clone(&manifest), before, since_ms: None, events_max: 200 };
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        let page = dry_run.page(&run, query, until).await.expect("is asked");
        tally.merge(page.tally, 5);
        if page.is_end {
            return tally;
        }
        before = Some(page.cursor);
    }
}

#[tokio::test]
async fn one_field_of_one_decision_in_ten_thousand_is_found_and_named() {
    let setting = |name: &str| {
        format!("{HOSTS}do = \"put http://127.0.0.1:9/x {{'id':1,'loanee':{{'name':'{name}'}}}}\"")
    };
    let stage = Stage::set(&setting("Ann")).await;
    let events = (0..10_000_u32).map(|n| match n {
        6_789 => open_event(n % 500, n / 500 + 1),
        n => event(n % 500, n / 500 + 1, "put http://127.0.0.1:9/x {'id':1}; count"),
    });
    deliver(&stage, events.collect()).await;
    let candidate = stage.record(&setting("Bob")).await;
    let before = format!("{:?}", stage.stats().await);
    let started = Instant::now();
    let tally = dry(&stage, &candidate, None).await;
    println!("{:.0} events/s", 10_000.0 / started.elapsed().as_secs_f64());
    assert_eq!(
        (tally.events(), tally.count(Outcome::Same), tally.count(Outcome::Changed)),
        (10_000, 9_999, 1)
    );
    let [difference] = &tally.differences[..] else { panic!("{:?}", tally.differences) };
    assert_eq!(difference.receipt, open_event(6_789 % 500, 6_789 / 500 + 1).receipt);
    assert_eq!((difference.subject.as_str(), difference.version.as_ref()), ("289", Some(&stage.active())));
    let [field] = &difference.drift.as_ref().expect("it says what").fields[..] else {
        panic!("{difference:?}")
    };
    assert_eq!(field.pointer, "/decisions/0/http/body/text/loanee/name");
    assert_eq!((field.before.as_deref(), field.after.as_deref()), (Some("\"Ann\""), Some("\"Bob\"")));
    // The same again, both asked now.
    let again = dry(&stage, &candidate, Some(&stage.active())).await;
    // What the active one is told it remembered is what it remembered then.
    assert_eq!((again.count(Outcome::Changed), &again.differences), (1, &tally.differences));
    assert_eq!(again.base.calls, 10_000);
    assert_eq!(format!("{:?}", stage.stats().await), before, "nothing is performed and nothing recorded");
}

#[tokio::test]
async fn each_kind_of_difference_is_told_from_the_others() {
    let stage = Stage::set("[settings]\ndo = \"note a; note b\"").await;
    let fault = stage.record("[settings]\ndo = \"trap\"").await;
    deliver(&stage, (1..=4).map(|asset| open_event(asset, 1)).collect()).await;
    let role = Role::Active;
    for (setting, outcome) in [
        ("[settings]\ndo = \"note a; note b\"\nother = \"x\"", Outcome::Same),
        ("[settings]\ndo = \"note a; note b; note c\"", Outcome::Added),
        ("[settings]\ndo = \"note b\"", Outcome::Removed),
        ("[settings]\ndo = \"note b; note a\"", Outcome::Changed),
        ("[settings]\ndo = \"trap\"", Outcome::NewFault),
        // Not granted, so nothing would come of it.
        ("[settings]\ndo = \"note a; note b; post http://127.0.0.1:9/\"", Outcome::NewFault),
    ] {
        let candidate = stage.record(setting).await;
        let tally = dry(&stage, &candidate, None).await;
        assert_eq!((tally.count(outcome), tally.events()), (4, 4), "{setting}: {tally:?}");
        // Against the active version, whatever it recorded, it is the same.
        assert_eq!(dry(&stage, &candidate, Some(&stage.active())).await.count(outcome), 4, "{setting}");
    }
    // What faulted then: the fault is gone, is the same, is another.
    stage.deployer().assign(&fault, role, by()).await.expect("no gate is there");
    deliver(&stage, (5..=8).map(|asset| open_event(asset, 1)).collect()).await;
    for (setting, outcome) in [
        ("[settings]\ndo = \"note a; note b\"\nother = \"y\"", Outcome::FaultGone),
        ("[settings]\ndo = \"trap\"\nother = \"y\"", Outcome::Same),
        ("[settings]\ndo = \"post http://127.0.0.1:9/\"", Outcome::OtherFault),
    ] {
        let candidate = stage.record(setting).await;
        let tally = dry(&stage, &candidate, None).await;
        assert_eq!(tally.events(), 8);
        assert!(tally.count(outcome) >= 4, "{setting}: {tally:?}");
    }
}

#[tokio::test]
async fn what_a_plugin_was_not_asked_about_is_told_apart() {
    let mut stage = Stage::set("[settings]\ndo = \"note a\"").await;
    stage.deployer().retire(&stage.name(), by()).await.expect("retires");
    deliver(&stage, vec![open_event(1, 1), event(2, 1, "trap")]).await;
    stage.deployer().rollback(&stage.name(), None, by()).await.expect("comes back");
    deliver(&stage, vec![open_event(3, 1)]).await;
    stage.restart().await;
    let tally = dry(&stage, &stage.active(), None).await;
    let counts =
        [Outcome::NotAskedBefore, Outcome::NewFault, Outcome::Same].map(|outcome| tally.count(outcome));
    assert_eq!(counts, [1, 1, 1], "{tally:?}");
}

#[tokio::test]
async fn a_version_that_faults_on_some_real_events_does_not_go_to_work_and_a_rollback_asks_nothing() {
    let mut stage = Stage::set("[settings]\ndo = \"note a\"").await;
    let first = stage.active();
    deliver(&stage, (1..=100).map(|asset| open_event(asset, 1)).collect()).await;
    stage.gate(GateBounds::default());
    let bad = stage.record("[settings]\ndo = \"trap-tenth; note a\"").await;
    let canary = || Role::Canary { share: "5".parse().expect("a share"), steps: vec![] };
    for role in [Role::Active, canary(), Role::Shadow] {
        let error = stage.deployer().assign(&bad, role, by()).await.expect_err("is refused").to_string();
        for part in
            ["gate: faults: of 100 real events", "gate.faults_max", "(asset.update of ", "trap: ", ", in "]
        {
            assert!(error.contains(part), "`{error}` should say `{part}`");
        }
        assert_eq!((stage.active(), stage.history().await.len()), (first.clone(), 1));
    }
    // Nor does one that is a canary already, when it is promoted.
    stage.gate(GateBounds { events_max: 0, ..GateBounds::default() });
    stage.deployer().assign(&bad, canary(), by()).await.expect("the gate is off");
    stage.gate(GateBounds::default());
    let error = stage.deployer().promote(&stage.name(), by()).await.expect_err("is refused").to_string();
    assert!(error.contains("gate: faults"), "{error}");
    // A good one does, and back again goes even the bad one.
    let good = stage.deploy("[settings]\ndo = \"note b\"").await;
    assert_eq!(stage.active(), good);
    let canary = stage.history().await.iter().find(|it| it.roles.canary.is_some()).expect("it was one").id;
    let back = stage.deployer().rollback(&stage.name(), Some(canary), by()).await.expect("goes back");
    assert_eq!(back.roles.canary.expect("it had one").version, bad);
}

#[tokio::test]
async fn a_version_over_its_budget_of_memory_does_not_go_to_work() {
    let mut stage = Stage::set("[settings]\ndo = \"note a\"").await;
    deliver(&stage, vec![open_event(1, 1)]).await;
    stage.gate(GateBounds { memory_percent_max: 0, ..GateBounds::default() });
    let next = stage.record("[settings]\ndo = \"note b\"").await;
    let error = stage.deployer().assign(&next, Role::Active, by()).await.expect_err("is refused").to_string();
    assert!(error.contains("gate: memory: of 1 real events"), "{error}");
}
