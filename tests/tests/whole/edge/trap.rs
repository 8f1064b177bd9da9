//! A trap in the Worker's wasm: it costs one request, and stops nothing else for ever.

use super::stage::{Chunked, PATIENCE, Stage, copy_dir, opened, receipts};
use std::path::Path;
use tempfile::TempDir;
use tidegate_tests::edge::{live_path, root};
use tidegate_tests::recorder::Mood;
use tokio::time::timeout;

/// The same Worker, with its bindings wrapped so that one body traps: no input is known that does.
fn trapping() -> TempDir {
    let build = tempfile::tempdir().expect("a folder");
    copy_dir(&root().join("worker/build"), build.path());
    let bindings = build.path().join("tidegate_worker.js");
    std::fs::rename(&bindings, build.path().join("real.js")).expect("rename the bindings");
    let wrapper = r#"
        export * from "./real.js";
        import { accept as real } from "./real.js";
        import module from "./trap.wasm";
        const { trap } = new WebAssembly.Instance(module).exports;
        export function accept(place, head, body, now) {
          if (body !== undefined && String.fromCharCode(...body) === "TRAP") trap();
          return real(place, head, body, now);
        }"#;
    std::fs::write(&bindings, wrapper).expect("write the wrapper");
    write_trap(build.path());
    build
}

fn write_trap(build: &Path) {
    // (module (func (export "trap") unreachable))
    let trap =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x08\x01\x04trap\0\0\x0a\x05\x01\x03\0\0\x0b";
    std::fs::write(build.join("trap.wasm"), trap).expect("write the trap");
}

async fn trap(stage: &Stage) {
    let (status, answer) = stage.send("POST", &live_path(), "TRAP").await;
    assert_eq!((status, answer.as_str()), (503, r#"{"error":"the request failed: send it again"}"#));
}

#[tokio::test]
async fn a_trap_costs_one_request_and_disturbs_no_other() {
    let build = trapping();
    let stage = Stage::set_with(|options| options.build = build.path().to_owned()).await;
    let mut waiting = Chunked::open(&stage.edge, &live_path()).await;
    waiting.chunk(b"before ").await.expect("sent");
    for _ in 0..3 {
        trap(&stage).await;
        stage.post("next").await;
    }
    // The last thing before it goes on, so that no other request has made things right meanwhile.
    trap(&stage).await;
    waiting.chunk(b"and after").await.expect("sent");
    waiting.end().await.expect("sent");
    assert_eq!(waiting.status().await, 202);
    let taken = stage.queue.take();
    let bodies: Vec<_> =
        taken.iter().map(|message| opened(message).body.inline().expect("inline").to_vec()).collect();
    assert_eq!(bodies, [&b"next"[..], b"next", b"next", b"before and after"]);
    let status = stage.source_status(|status| status.tally.last_success_ms.is_some()).await;
    assert_eq!((status.tally.failures, status.tally.failures_in_row), (4, 0));
}

#[tokio::test]
async fn a_trap_while_a_large_body_comes_in_does_not_disturb_it() {
    let build = trapping();
    let stage = Stage::set_with(|options| options.build = build.path().to_owned()).await;
    let mut waiting = Chunked::open(&stage.edge, &live_path()).await;
    waiting.chunk(&vec![b'x'; 300_000]).await.expect("sent");
    trap(&stage).await;
    waiting.end().await.expect("sent");
    assert_eq!(waiting.status().await, 202);
    assert_eq!(stage.queue.take().len(), 1);
}

#[tokio::test]
async fn a_trap_while_the_alarm_waits_for_a_send_does_not_stop_the_alarm() {
    let build = trapping();
    let stage = Stage::set_with(|options| options.build = build.path().to_owned()).await;
    stage.queue.set_mood(Mood::Overloaded);
    let acknowledged = stage.post("{}").await;
    stage.queue.set_mood(Mood::Hangs);
    // The edge's own send, and the alarm's, which now waits.
    timeout(PATIENCE, stage.queue.sends(2)).await.expect("the alarm sends");
    trap(&stage).await;
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(1)).await.expect("delivered");
    assert_eq!(receipts(&delivered), [acknowledged]);
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 0)).await;
    // And the next alarm comes as well.
    stage.queue.set_mood(Mood::Overloaded);
    let acknowledged = stage.post("{}").await;
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(1)).await.expect("delivered");
    assert_eq!(receipts(&delivered), [acknowledged]);
}
