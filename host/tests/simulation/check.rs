//! What must hold after a run, and between two hosts.

use super::host::{ACTOR, CLERK, kinds};
use super::scenario::{Asks, Expected, Scenario, Told, source};
use super::target::Target;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tidegate::plugin::PluginName;
use tidegate::store::access::AuditQuery;
use tidegate::store::listing::EventQuery;
use tidegate::store::parked::ParkedQuery;
use tidegate::store::sql::SqlStore;
use tidegate::store::{EventRow, PlanRow, Store as _};
use tidegate::subject::{SubjectKey, SubjectState};

pub(crate) async fn rows(store: &SqlStore) -> Vec<EventRow> {
    let (mut rows, mut after) = (Vec::new(), Some(0));
    loop {
        let page = store.events(EventQuery { after, ..EventQuery::default() }).await.expect("reads");
        rows.extend(page.events);
        if page.is_end {
            return rows;
        }
        after = Some(page.cursor);
    }
}

pub(crate) async fn subject(store: &SqlStore, subject: &str) -> SubjectState {
    let key = SubjectKey { source: source(), subject: subject.into() };
    store.subjects(vec![key]).await.expect("reads").remove(0)
}

/// What holds at any time: each event is in one state, its plans', and stands in a lane when it is not decided.
pub(crate) async fn whole(scenario: &Scenario, store: &SqlStore) {
    let rows = rows(store).await;
    it_is_counted(store, &rows).await;
    each_batch_is_written_once(store, &rows).await;
    let mut standing: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in &rows {
        let has = |states: &[&str]| row.plans.iter().any(|plan| states.contains(&plan.state.as_str()));
        let state = match (has(&["waiting", "held"]), has(&["parked"])) {
            (true, _) => "waiting",
            (false, true) => "parked",
            (false, false) => "decided",
        };
        assert_eq!(row.state, state, "{row:?}");
        for plan in row.plans.iter().filter(|plan| !row.subject.is_empty() && is_standing(plan)) {
            let lane = (row.subject.clone(), plan.plugin.to_string());
            let before = standing.entry(lane).or_default();
            assert!(
                (plan.state == "held") == (*before > 0),
                "the first of a lane, and no other, is asked about: {row:?}"
            );
            *before += 1;
        }
    }
    for asset in 1..=scenario.assets {
        let lanes = subject(store, &asset.to_string()).await.lanes;
        let lanes: BTreeMap<_, _> =
            lanes.into_iter().map(|(plugin, held)| (plugin.to_string(), held)).collect();
        let here = standing.iter().filter(|((subject, _), _)| *subject == asset.to_string());
        let here: BTreeMap<_, _> = here.map(|((_, plugin), held)| (plugin.clone(), *held)).collect();
        assert_eq!(lanes, here, "the lanes of asset {asset}");
    }
}

/// What is counted as it is written is what there is.
async fn it_is_counted(store: &SqlStore, rows: &[EventRow]) {
    let stats = store.stats().await.expect("reads");
    let events = |is: fn(&EventRow) -> bool| rows.iter().filter(|row| is(row)).count();
    let plans = |state| rows.iter().flat_map(|row| &row.plans).filter(|plan| plan.state == state).count();
    let effects = |state| rows.iter().flat_map(|row| &row.effects).filter(|it| it.state == state).count();
    for (what, counted, there) in [
        ("done", stats.done, events(|row| row.state == "decided")),
        ("waiting", stats.waiting, events(|row| row.state == "waiting")),
        ("parked", stats.parked - stats.strays.parked, events(|row| row.state == "parked")),
        ("all that came in", stats.incoming - stats.strays.parked, rows.len()),
        ("duplicates", stats.accepted.duplicate, events(|row| row.class == "duplicate")),
        ("decided plans", stats.plans.decided, plans("decided")),
        ("skipped plans", stats.plans.skipped, plans("skipped")),
        ("waiting plans", stats.plans.waiting, plans("waiting")),
        ("held plans", stats.plans.held, plans("held")),
        ("parked plans", stats.plans.parked, plans("parked")),
        ("performed effects", stats.effects.done, effects("done")),
        ("waiting effects", stats.effects.waiting, effects("waiting")),
    ] {
        assert_eq!(usize::try_from(counted).expect("few"), there, "{what}");
    }
}

/// What became of each attempt is written once, whatever was heard of the commit.
async fn each_batch_is_written_once(store: &SqlStore, rows: &[EventRow]) {
    let (mut noted, mut before) = (Vec::new(), None);
    loop {
        let page = store.audit(AuditQuery { before, ..AuditQuery::default() }).await.expect("reads");
        let Some(last) = page.last() else { break };
        before = Some(last.cursor);
        noted.extend(page.into_iter().map(|row| row.record.as_str().expect("a text").to_owned()));
    }
    let effects = rows.iter().flat_map(|row| &row.effects);
    let mut there: Vec<_> = effects
        .flat_map(|it| (1..=it.attempts).map(move |attempt| format!("{} {attempt}", it.key)))
        .collect();
    noted.sort();
    there.sort();
    assert_eq!(noted, there, "what became of each attempt is written once");
}

/// Whether the plan keeps its lane from going on. A plugin that parks an event itself does not.
fn is_standing(plan: &PlanRow) -> bool {
    match plan.state.as_str() {
        "waiting" | "held" => true,
        "parked" => plan.why.as_deref() != Some("enough"),
        _ => false,
    }
}

/// What holds when nothing is left to do.
pub(crate) async fn done(scenario: &Scenario, store: &SqlStore, target: &Target) {
    whole(scenario, store).await;
    let rows = rows(store).await;
    each_is_recorded_once(scenario, &rows);
    for row in &rows {
        each_is_decided_once(scenario, row);
    }
    what_was_caused_is_told_once(scenario, &rows);
    effects_are_complete(&rows, target);
    let strays = store.parked(ParkedQuery::default()).await.expect("reads");
    let strays = strays.rows.iter().filter(|parked| parked.what == "stray").count();
    assert_eq!(strays, scenario.strays, "strays are kept, once");
    for asset in 1..=scenario.assets {
        let state = subject(store, &asset.to_string()).await;
        the_last_is_the_snapshot(scenario, asset, &state);
        for plugin in [ACTOR, CLERK] {
            decisions_are_in_order(scenario, &rows, (asset, plugin), &state);
        }
    }
}

fn each_is_recorded_once(scenario: &Scenario, rows: &[EventRow]) {
    let recorded: BTreeSet<_> = rows.iter().map(|row| row.receipt).collect();
    assert_eq!(recorded.len(), rows.len(), "a receipt is recorded once");
    for told in &scenario.told {
        let here: Vec<_> = rows.iter().filter(|row| told.receipts.contains(&row.receipt)).collect();
        assert_eq!(
            here.len(),
            told.receipts.len(),
            "every accepted envelope is recorded: {:?}",
            told.receipts
        );
        let originals: Vec<_> = here.iter().filter(|row| row.class != "duplicate").collect();
        assert_eq!(originals.len(), 1, "of the same bytes one is asked about: {here:?}");
        for row in here.iter().filter(|row| row.class == "duplicate") {
            assert_eq!(row.duplicate_of, Some(originals[0].receipt));
            assert!(row.plans.is_empty() && row.effects.is_empty(), "{row:?}");
        }
    }
}

fn told_of<'a>(scenario: &'a Scenario, row: &EventRow) -> Option<&'a Told> {
    scenario.by_receipt.get(&row.receipt).map(|number| &scenario.told[*number])
}

fn is_asked_about(scenario: &Scenario, row: &EventRow, plugin: &str) -> bool {
    let wants = kinds(plugin).iter().any(|kind| *kind == "*" || *kind == row.kind);
    let asks = match row.class.as_str() {
        "first" => true,
        "duplicate" => false,
        _ => scenario.asks == Asks::All,
    };
    wants && asks
}

fn each_is_decided_once(scenario: &Scenario, row: &EventRow) {
    let Some(told) = told_of(scenario, row) else { return };
    let asked: Vec<_> =
        [ACTOR, CLERK].into_iter().filter(|plugin| is_asked_about(scenario, row, plugin)).collect();
    assert_eq!(row.plans.iter().map(|plan| plan.plugin.as_str()).collect::<Vec<_>>(), asked, "{row:?}");
    let mut decided = 0;
    for plan in &row.plans {
        let state = match told.expected() {
            Expected::Decided => "decided",
            Expected::Skipped => "skipped",
            Expected::Parked | Expected::OutOfTheWay => "parked",
        };
        assert!(plan.state == state || plan.state == "held", "{state} is expected: {row:?}");
        decided += usize::from(plan.state == "decided");
    }
    assert_eq!(
        row.effects.len(),
        decided * told.effects(),
        "all effects of what was decided, and no other: {row:?}"
    );
}

/// How often it was decided by these plugins, in this run.
fn decided(rows: &[EventRow], told: &Told) -> usize {
    let here = rows.iter().filter(|row| told.receipts.contains(&row.receipt));
    here.flat_map(|row| &row.plans).filter(|plan| plan.state == "decided").count()
}

fn what_was_caused_is_told_once(scenario: &Scenario, rows: &[EventRow]) {
    for (verb, kind) in [("emit", "loan.ended"), ("wake", "tidegate.wake")] {
        let causes = scenario.told.iter().filter(|told| told.has(verb));
        let expected: usize = causes.map(|told| decided(rows, told)).sum();
        let found = rows.iter().filter(|row| row.kind == kind).count();
        assert_eq!(found, expected, "each {verb} is told once");
    }
    for (number, told) in scenario.told.iter().enumerate().filter(|(_, told)| !told.then.is_empty()) {
        let line = format!("told-{number}");
        let plans = rows.iter().flat_map(|row| &row.plans);
        let said = plans.filter(|plan| plan.notes.contains(&line)).count();
        let is_held = rows.iter().any(|row| {
            told_of(scenario, row).is_none() && row.subject == told.subject() && row.state != "decided"
        });
        let expected = decided(rows, told);
        assert!(
            said == expected || (is_held && said < expected),
            "{line}: said {said} times, not {expected}"
        );
    }
}

fn effects_are_complete(rows: &[EventRow], target: &Target) {
    let effects: Vec<_> = rows.iter().flat_map(|row| &row.effects).collect();
    let keys: BTreeSet<_> = effects.iter().map(|effect| effect.key.clone()).collect();
    assert_eq!(keys.len(), effects.len(), "keys are distinct");
    for effect in &effects {
        assert_eq!(effect.state, "done", "{effect:?}");
    }
    let asked: BTreeSet<_> = target.asked().into_keys().collect();
    assert_eq!(asked, keys, "the target saw every effect that was decided, and no other");
}

/// The events of a run name distinct times, so that the last is known.
fn the_last_is_the_snapshot(scenario: &Scenario, asset: u32, state: &SubjectState) {
    let here = scenario.told.iter().filter(|told| told.asset == asset);
    let last = here.max_by_key(|told| (told.kind == "asset.delete", told.second));
    let found = state.mark.as_ref().map(|mark| mark.receipt);
    match last {
        Some(last) => {
            assert!(found.is_some_and(|found| last.receipts.contains(&found)), "asset {asset}: {state:?}")
        }
        None => assert_eq!(found, None),
    }
}

/// What a plugin counts grows by one from each event that it decided to the next, and is what it remembers.
fn decisions_are_in_order(
    scenario: &Scenario,
    rows: &[EventRow],
    (asset, plugin): (u32, &str),
    state: &SubjectState,
) {
    if scenario.asks == Asks::All {
        // What is stale is counted and not remembered.
        return;
    }
    let plans = rows.iter().filter(|row| row.subject == asset.to_string()).flat_map(|row| &row.plans);
    let notes = plans.filter(|plan| plan.plugin.as_str() == plugin).flat_map(|plan| &plan.notes);
    let counted: Vec<u64> = notes.filter_map(|note| note.strip_prefix("count ")?.parse().ok()).collect();
    let expected: Vec<u64> = (1..).take(counted.len()).collect();
    assert_eq!(counted, expected, "asset {asset}, plugin {plugin}: in the order of arrival");
    let remembered = state.memories.get(&PluginName::new(plugin).expect("a name"));
    let remembered = remembered.and_then(|memory| memory.body.as_deref()).map(String::from_utf8_lossy);
    assert_eq!(remembered.map(|text| text.parse().expect("a number")), counted.last().copied());
}

/// What came of the run, in few words.
pub(crate) fn summary(rows: &[EventRow], target: &Target) -> String {
    let mut states: HashMap<&str, usize> = HashMap::new();
    rows.iter().for_each(|row| *states.entry(row.state.as_str()).or_default() += 1);
    let of = |state| states.get(state).copied().unwrap_or_default();
    let times: u32 = target.asked().values().map(|asked| asked.times).sum();
    format!(
        "{} events: {} decided, {} parked, {} behind them; {} effects, performed {times} times",
        rows.len(),
        of("decided"),
        of("parked"),
        of("waiting"),
        target.asked().len(),
    )
}
