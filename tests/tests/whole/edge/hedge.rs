//! Two stores: while one of them takes events, every sender gets a 2xx, and what was acknowledged reaches the queue.

use super::stage::{PATIENCE, Stage, opened, receipts, varied};
use tidegate_tests::edge::{Edge, EdgeOptions, live_path};
use tidegate_tests::recorder::{Mood, Recorder};
use tokio::time::timeout;

/// What the sender is told when no store confirmed.
const UNDELIVERED: &str = r#"{"error":"no store confirmed the event in time: send it again"}"#;

#[tokio::test]
async fn while_the_queue_refuses_the_vault_takes_over_and_delivers_later() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let mut acknowledged = Vec::new();
    for number in 0..150 {
        acknowledged.push(stage.post(format!("{{\"id\":{number}}}")).await);
    }
    acknowledged.push(stage.post(varied(200_000)).await);
    assert_eq!(stage.queue.take().len(), 0);
    let vault = stage.source_status(|status| status.vault.is_some()).await.vault.expect("it is there");
    assert_eq!((vault.messages, vault.bodies), (151, 1));
    assert!(vault.oldest_ms.is_some());

    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(151)).await.expect("the alarm delivers");
    // The oldest first, each once, whole.
    assert_eq!(receipts(&delivered), acknowledged);
    assert!(delivered.iter().all(|message| message.batched && message.format == "text"));
    assert_eq!(opened(&delivered[7]).body.inline(), Some(&b"{\"id\":7}"[..]));
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 0)).await;
}

#[tokio::test]
async fn what_the_vault_has_outlives_kill_9() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let acknowledged = [stage.post("one").await, stage.post("two").await];
    let stage = stage.kill_and_restart().await;
    stage.queue.set_mood(Mood::Takes);
    // No request comes: the alarm is on disk too.
    let delivered = timeout(PATIENCE, stage.queue.take_all(2)).await.expect("the alarm delivers");
    assert_eq!(receipts(&delivered), acknowledged);
}

#[tokio::test]
async fn while_there_is_no_queue_at_all_the_vault_takes_over() {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0))
        .expect("a free port")
        .local_addr()
        .expect("its address");
    let stage = Stage::set_with(|options| options.queues[0].0 = closed).await;
    stage.post("kept").await;
}

#[tokio::test]
async fn a_queue_that_hangs_costs_no_event_and_when_it_answers_late_nothing_is_sent_twice() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Hangs);
    let acknowledged = stage.post("{}").await;
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 1)).await;
    // The send was not given up: it is answered now.
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(1)).await.expect("the send is still there");
    assert_eq!((receipts(&delivered), delivered[0].batched), (vec![acknowledged], false));
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 0)).await;
    assert_eq!(stage.queue.take().len(), 0);
}

#[tokio::test]
async fn a_queue_that_hangs_for_long_is_asked_by_one_event_at_a_time() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Hangs);
    stage.post_at_once(64, b"{}").await;
    let asked = stage.queue.sends_so_far();
    // So many wait for it that all of these but the first go to the vault at once.
    stage.post_at_once(40, b"{}").await;
    assert_eq!((asked, stage.queue.sends_so_far()), (64, 65));
    let vault = stage.source_status(|status| status.vault.is_some()).await.vault.expect("it is there");
    assert_eq!(vault.messages, 104);

    // One that is confirmed in time, and all are asked of it again.
    stage.queue.set_mood(Mood::Takes);
    let mut vaulted = 1;
    while vaulted > 0 {
        stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 0)).await;
        stage.post_at_once(20, b"{}").await;
        let vault = stage.source_status(|status| status.vault.is_some()).await.vault;
        vaulted = vault.expect("it is there").messages;
    }
}

#[tokio::test]
async fn no_store_no_2xx_and_nothing_acknowledged_is_lost() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let mut acknowledged = vec![stage.post("before").await];
    let lock = stage.lock_vault();
    for hanging in [false, true] {
        stage.queue.set_mood(if hanging { Mood::Hangs } else { Mood::Overloaded });
        let refused = stage.send("POST", &live_path(), "refused").await;
        assert_eq!(refused, (503, UNDELIVERED.to_owned()));
        let refused = stage.send("POST", &live_path(), varied(200_000)).await;
        assert_eq!(refused, (503, UNDELIVERED.to_owned()));
    }
    // The vault cannot be told, so what this isolate saw is what is known.
    let status = stage.source_status(|status| status.tally.failures == 4).await;
    assert_eq!((status.tally.failures_in_row, status.cutoff, status.left), (4, Some(3), Some(0)));
    assert_eq!(
        status.tally.last_failure.as_deref(),
        Some("503: no store confirmed the event in time: send it again")
    );

    stage.queue.set_mood(Mood::Overloaded);
    drop(lock);
    let stage = stage.kill_and_restart().await;
    acknowledged.push(stage.post("after").await);
    stage.queue.set_mood(Mood::Takes);
    let mut delivered = Vec::new();
    while !acknowledged.iter().all(|receipt| delivered.contains(receipt)) {
        let some =
            timeout(PATIENCE, stage.queue.take_all(1)).await.expect("what was acknowledged is delivered");
        delivered.extend(receipts(&some));
    }
}

#[tokio::test]
async fn a_dead_vault_costs_nothing_while_the_queue_is_well() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    stage.post("makes the vault").await;
    stage.queue.set_mood(Mood::Takes);
    let _lock = stage.lock_vault();
    for _ in 0..20 {
        stage.post("{}").await;
    }
}

#[tokio::test]
async fn events_about_one_subject_go_to_one_queue_and_all_queues_are_used() {
    let (stage, more) = sharded().await;
    let mut used = [0, 0, 0];
    for id in 0..30 {
        for body in [format!("{{\"id\":{id}}}"), format!("{{\"x\":[{{\"id\":1}}], \"id\" : \"{id}\"}}")] {
            stage.post(body).await;
        }
        let counts = [stage.queue.take().len(), more[0].take().len(), more[1].take().len()];
        let home = counts.iter().position(|count| *count == 2).expect("both on one queue");
        assert_eq!(counts.iter().sum::<usize>(), 2);
        used[home] += 1;
    }
    assert!(used.iter().all(|events| *events > 0), "{used:?}");
    // What has no subject goes somewhere.
    for body in ["", "not JSON", "[1]", "{\"id\":1,\"id\":2}"] {
        stage.post(body).await;
    }
    assert_eq!(stage.queue.take().len() + more[0].take().len() + more[1].take().len(), 4);
}

#[tokio::test]
async fn what_one_queue_refuses_or_keeps_waiting_the_next_one_takes() {
    let (stage, more) = sharded().await;
    for mood in [Mood::Overloaded, Mood::Hangs] {
        for queue in [&stage.queue, &more[0], &more[1]] {
            queue.set_mood(mood);
        }
        more[1].set_mood(Mood::Takes);
        let mut acknowledged = Vec::new();
        for id in 0..6 {
            acknowledged.push(stage.post(format!("{{\"id\":{id}}}")).await);
        }
        // By the ladder where that queue is the next one, by the vault's alarm where it is not.
        let mut delivered = Vec::new();
        while !acknowledged.iter().all(|receipt| delivered.contains(receipt)) {
            delivered
                .extend(receipts(&timeout(PATIENCE, more[1].take_all(1)).await.expect("they are taken")));
        }
    }
}

async fn sharded() -> (Stage, [Recorder; 2]) {
    let more = [Recorder::start().await.expect("a free port"), Recorder::start().await.expect("a free port")];
    let addrs = [more[0].addr(), more[1].addr()];
    let stage = Stage::set_with(|options: &mut EdgeOptions| {
        options.queues.extend(addrs.map(|addr| (addr, "more".to_owned())));
    })
    .await;
    (stage, more)
}

#[tokio::test]
async fn a_worker_without_a_vault_says_so_and_still_takes_events() {
    // An operator's configuration from before there was a vault.
    let queue = Recorder::start().await.expect("a free port");
    let build = tempfile::tempdir().expect("a folder");
    super::stage::copy_dir(&tidegate_tests::edge::root().join("worker/build"), build.path());
    let shell = build.path().join("index.js");
    std::fs::rename(&shell, build.path().join("shell.js")).expect("rename the shell");
    let wrapper = r#"
        import shell from "./shell.js";
        export default { fetch: (request, env, ctx) => shell.fetch(request, { ...env, VAULT: undefined }, ctx) };"#;
    std::fs::write(&shell, wrapper).expect("write the wrapper");
    let options = EdgeOptions { build: build.path().to_owned(), ..EdgeOptions::usual(queue.addr()) };
    let edge = Edge::start_with(options).await.expect("it starts");
    let client = super::stage::client();
    let health = client.get(edge.url("/healthz")).send().await.expect("the edge answers");
    assert!(health.text().await.expect("text").contains("the Durable Object VAULT is not bound"));
    let post =
        async || client.post(edge.live_url()).body("{}").send().await.expect("the edge answers").status();
    assert_eq!(post().await, 202);
    queue.set_mood(Mood::Overloaded);
    assert_eq!(post().await, 503);
}
