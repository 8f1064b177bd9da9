//! Bodies too large for an envelope: in the vault, whole or the first part, before the 2xx.

use super::stage::{Chunked, PATIENCE, Stage, read_status, varied};
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;
use tidegate_envelope::{Body, Digest, Envelope, VaultBody};
use tidegate_tests::edge::{SOURCE, TOKEN, live_path};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MIB: usize = 1 << 20;

/// Bytes kept of a body unless the variable says otherwise.
const BODY_BYTES_MAX: usize = 32 * MIB;

fn kept(bytes: usize, total_bytes: Option<usize>) -> Body {
    let number = |bytes| u64::try_from(bytes).expect("a number");
    Body::Vault(VaultBody {
        bytes: number(bytes),
        total_bytes: total_bytes.map(number),
        truncated: total_bytes != Some(bytes),
    })
}

fn vault_path(envelope: &Envelope) -> String {
    format!("/vault/{SOURCE}/{}", envelope.receipt)
}

/// The vault has these bytes under the envelope's receipt, and the envelope their hash.
async fn assert_in_vault(stage: &Stage, envelope: &Envelope, bytes: &[u8]) {
    assert_eq!(envelope.sha256, Digest::of(bytes));
    let response = stage.host("GET", &vault_path(envelope)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    assert_eq!(response.headers()["content-length"], bytes.len().to_string().as_str());
    let given = response.bytes().await.expect("the whole body");
    assert!(given == bytes, "{} bytes came out of {}", given.len(), bytes.len());
}

#[tokio::test]
async fn a_large_body_is_in_the_vault_until_it_is_deleted() {
    let stage = Stage::set().await;
    for bytes in [BODY_INLINE_BYTES_MAX + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3] {
        let body = varied(bytes);
        for chunked in [false, true] {
            let receipt = if chunked { None } else { Some(stage.post(body.clone()).await) };
            if chunked {
                let mut sender = Chunked::open(&stage.edge, &live_path()).await;
                for chunk in body.chunks(50_000) {
                    sender.chunk(chunk).await.expect("sent");
                }
                sender.end().await.expect("sent");
                assert_eq!(sender.status().await, 202);
            }
            let envelope = stage.envelope();
            assert!(receipt.is_none_or(|receipt| receipt == envelope.receipt.to_string()));
            assert_eq!(envelope.body, kept(bytes, Some(bytes)));
            assert_in_vault(&stage, &envelope, &body).await;
            for _ in 0..2 {
                assert_eq!(stage.host("DELETE", &vault_path(&envelope)).await.status(), 204);
                assert_eq!(stage.host("GET", &vault_path(&envelope)).await.status(), 404);
            }
        }
    }
    let status = stage.source_status(|status| status.vault.is_some()).await;
    assert_eq!(status.vault.map(|vault| (vault.bodies, vault.body_bytes)), Some((0, 0)));
}

#[tokio::test]
async fn sixty_megabytes_are_acknowledged_and_the_first_part_of_them_kept() {
    let stage = Stage::set().await;
    let body = varied(60_000_000);
    let receipt = stage.post(body.clone()).await;
    let envelope = stage.envelope();
    assert_eq!(envelope.receipt.to_string(), receipt);
    assert_eq!(envelope.body, kept(BODY_BYTES_MAX, Some(body.len())));
    assert_in_vault(&stage, &envelope, &body[..BODY_BYTES_MAX]).await;
    let status = stage.source_status(|status| status.vault.is_some()).await;
    assert_eq!(status.vault.map(|vault| (vault.bodies, vault.body_bytes)), Some((1, 32 << 20)));
}

#[tokio::test]
async fn the_operator_says_how_much_is_kept() {
    let stage = Stage::set_with(|options| options.body_bytes_max = Some(200_000)).await;
    for bytes in [199_999, 200_000, 200_001, 300_000] {
        let body = varied(bytes);
        stage.post(body.clone()).await;
        let envelope = stage.envelope();
        assert_eq!(envelope.body, kept(bytes.min(200_000), Some(bytes)));
        assert_in_vault(&stage, &envelope, &body[..bytes.min(200_000)]).await;
    }
}

#[tokio::test]
async fn an_endless_body_is_acknowledged_while_it_goes_on() {
    let stage = Stage::set().await;
    let Chunked { mut read, mut write } = Chunked::open(&stage.edge, &live_path()).await;
    let chunk = vec![b'x'; 64 << 10];
    let mut answer = std::pin::pin!(read_status(&mut read));
    let status = loop {
        tokio::select! {
            biased;
            status = &mut answer => break status,
            // Once the edge has answered it may close the connection.
            written = Chunked::write(&mut write, &chunk) => if written.is_err() { break answer.await },
        }
    };
    assert_eq!(status, Some(202));
    let envelope = stage.envelope();
    assert_eq!(envelope.body, kept(BODY_BYTES_MAX, None));
    assert_in_vault(&stage, &envelope, &vec![b'x'; BODY_BYTES_MAX]).await;
}

#[tokio::test]
async fn a_body_that_stops_coming_after_the_cap_is_acknowledged() {
    let stage = Stage::set_with(|options| options.body_bytes_max = Some(100_000)).await;
    let mut sender = Chunked::open(&stage.edge, &live_path()).await;
    sender.chunk(&vec![b'x'; 150_000]).await.expect("sent");
    // It says nothing more, and does not end.
    assert_eq!(sender.status().await, 202);
    assert_eq!(stage.envelope().body, kept(100_000, None));
}

#[tokio::test]
async fn a_trickled_body_is_kept_whole() {
    let stage = Stage::set().await;
    let body = varied(BODY_INLINE_BYTES_MAX + 500);
    let mut sender = Chunked::open(&stage.edge, &live_path()).await;
    let (at_once, trickled) = body.split_at(BODY_INLINE_BYTES_MAX - 100);
    sender.chunk(at_once).await.expect("sent");
    for byte in trickled.chunks(1) {
        sender.chunk(byte).await.expect("sent");
        tokio::task::yield_now().await;
    }
    sender.end().await.expect("sent");
    assert_eq!(sender.status().await, 202);
    let envelope = stage.envelope();
    assert_eq!(envelope.body, kept(body.len(), Some(body.len())));
    assert_in_vault(&stage, &envelope, &body).await;
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_a_large_body_leaves_nothing_on_the_queue() {
    let stage = Stage::set().await;
    let mut sender = Chunked::open(&stage.edge, &live_path()).await;
    sender.chunk(&varied(3 * MIB)).await.expect("sent");
    drop(sender);
    let status = stage.source_status(|status| status.tally.failures == 1).await;
    assert_eq!(status.tally.last_failure.as_deref(), Some("503: the request failed: send it again"));
    assert_eq!(stage.queue.take().len(), 0);
    stage.post("next").await;
}

#[tokio::test]
async fn many_large_bodies_at_once_are_all_kept() {
    let stage = Stage::set().await;
    let body = varied(4 * MIB);
    let mut receipts = stage.post_at_once(8, &body).await;
    let mut queued = super::stage::receipts(&stage.queue.take());
    receipts.sort_unstable();
    queued.sort_unstable();
    assert_eq!(receipts, queued);
    for receipt in receipts {
        let given = stage.host("GET", &format!("/vault/{SOURCE}/{receipt}")).await.bytes().await;
        assert!(given.expect("the whole body") == body);
    }
}

#[tokio::test]
async fn bodies_outlive_kill_9() {
    let stage = Stage::set().await;
    let body = varied(2 * MIB);
    stage.post(body.clone()).await;
    let envelope = stage.envelope();
    let stage = stage.kill_and_restart().await;
    assert_in_vault(&stage, &envelope, &body).await;
}

#[tokio::test]
async fn a_body_for_no_source_is_not_read() {
    let stage = Stage::set().await;
    let stream = TcpStream::connect(stage.edge.workerd.addr()).await.expect("connect");
    let (mut read, mut write) = stream.into_split();
    let head =
        format!("POST /in/{SOURCE}/{TOKEN}x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000000\r\n\r\n");
    write.write_all(head.as_bytes()).await.expect("send the head");
    let status = tokio::time::timeout(PATIENCE, read_status(&mut read)).await;
    assert_eq!(status.expect("it does not wait for the body"), Some(404));
    let mut rest = Vec::new();
    drop(write);
    // However it ends.
    let _ = read.read_to_end(&mut rest).await;
}
