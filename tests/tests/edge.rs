//! The built Worker under workerd: what comes in, what the sender is told, what is on the queue then.

use std::path::Path;
use std::time::Duration;
use tidegate_envelope::Envelope;
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;
use tidegate_tests::edge::{Edge, QUEUE, SOURCE, TOKEN, TOKEN_BEFORE, live_path, root};
use tidegate_tests::recorder::{Mood, Recorder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer of the edge may take longer than the sender waits for it.
const SENDER_WAITS: Duration = Duration::from_secs(3);

struct Stage {
    edge: Edge,
    queue: Recorder,
    client: reqwest::Client,
}

impl Stage {
    async fn set() -> Self {
        let queue = Recorder::start().await.expect("a free port");
        let edge = Edge::start(queue.addr()).await.expect("the built Worker starts");
        let client = reqwest::Client::builder().timeout(SENDER_WAITS).build().expect("a client");
        Self { edge, queue, client }
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> (u16, String) {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.edge.url(path)).body(body);
        let response = request.send().await.expect("the edge answers");
        let status = response.status().as_u16();
        assert_eq!(
            response.headers().get("content-type").map(|v| v.as_bytes()),
            Some(&b"application/json"[..])
        );
        assert_eq!(
            response.headers().get("retry-after").map(|v| v.as_bytes()),
            (status == 503).then_some(&b"1"[..])
        );
        (status, response.text().await.expect("the answer is text"))
    }

    /// The one envelope on the queue since the last look.
    fn envelope(&self) -> Envelope {
        let recorded = self.queue.take();
        let [message] = recorded.as_slice() else {
            panic!("{} messages on the queue instead of 1", recorded.len());
        };
        assert_eq!((message.format.as_str(), message.queue.as_str()), ("text", QUEUE));
        Envelope::open(std::str::from_utf8(&message.body).expect("text")).expect("an envelope")
    }
}

#[tokio::test]
async fn every_method_and_every_body_within_the_limit_is_on_the_queue_before_the_202() {
    let stage = Stage::set().await;
    let bodies: [&[u8]; 6] = [
        b"",
        b"{\"id\":9007199254740993,  \"name\":\"\xc3\xbc\\u00fc\"}\r\n",
        b"\xff\xfe\x00\x80 not UTF-8",
        &vec![0xff; BODY_INLINE_BYTES_MAX],
        &vec![b'x'; BODY_INLINE_BYTES_MAX],
        &vec![0x01; BODY_INLINE_BYTES_MAX],
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for body in bodies {
            let (status, answer) = stage.send(method, &live_path(), body.to_vec()).await;
            assert_eq!(status, 202, "{method} of {} bytes: {answer}", body.len());
            let envelope = stage.envelope();
            assert_eq!(envelope.body.inline(), Some(&body[..]), "{method}");
            assert_eq!(envelope.method, method);
            assert_eq!(envelope.source.as_str(), SOURCE);
            assert_eq!(answer, format!(r#"{{"receipt":"{}"}}"#, envelope.receipt));
        }
    }
    // Probes of a person with a browser, and of a sender that checks the URL first.
    for method in ["GET", "HEAD"] {
        let (status, answer) = stage.send(method, &live_path(), Vec::new()).await;
        assert_eq!(status, 202, "{method}: {answer}");
        let envelope = stage.envelope();
        assert_eq!((envelope.method.as_str(), envelope.body.inline().map(<[u8]>::len)), (method, Some(0)));
        assert_eq!(answer.is_empty(), method == "HEAD");
    }
}

#[tokio::test]
async fn a_chunked_body_arrives_byte_for_byte() {
    let stage = Stage::set().await;
    let body: Vec<u8> = (0..BODY_INLINE_BYTES_MAX).map(|i| u8::try_from(i % 251).expect("a byte")).collect();
    for (length, chunk) in
        [(0, 1), (1, 1), (5_000, 7), (BODY_INLINE_BYTES_MAX, 1_000), (BODY_INLINE_BYTES_MAX, 64_000)]
    {
        let body = &body[..length];
        let mut sender = Chunked::open(&stage.edge, &live_path()).await;
        for chunk in body.chunks(chunk) {
            sender.chunk(chunk).await.expect("the edge reads a body within the limit");
        }
        sender.end().await.expect("the edge reads to the end");
        assert_eq!(sender.status().await, 202, "{length} bytes");
        assert_eq!(stage.envelope().body.inline(), Some(body), "{length} bytes in chunks of {chunk}");
    }
}

#[tokio::test]
async fn the_envelope_has_the_headers_worth_keeping_and_no_other() {
    let stage = Stage::set().await;
    let response = stage
        .client
        .post(stage.edge.live_url())
        .header("Content-Type", "application/json; charset=utf-8")
        .header("User-Agent", "AssetSonar \u{fc}")
        .header("Traceparent", "trace")
        .header("Cookie", "session=secret")
        .header("Authorization", "Bearer secret")
        .send()
        .await
        .expect("the edge answers");
    assert_eq!(response.status(), 202);
    let envelope = stage.envelope();
    assert_eq!(envelope.content_type.as_deref(), Some("application/json; charset=utf-8"));
    let kept: Vec<_> = envelope.headers.iter().map(|header| header.0.as_str()).collect();
    assert_eq!(kept, ["user-agent", "traceparent"]);
}

#[tokio::test]
async fn receipts_differ_and_carry_the_time() {
    let stage = Stage::set().await;
    let now_ms = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        u64::try_from(since.as_millis()).expect("before the year 500 million")
    };
    let before_ms = now_ms();
    let mut receipts = std::collections::BTreeSet::new();
    // More than one pool of random bytes.
    for _ in 0..250 {
        assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);
        let envelope = stage.envelope();
        assert!((before_ms..=now_ms()).contains(&envelope.received_at_ms), "{}", envelope.received_at_ms);
        assert!(receipts.insert(envelope.receipt.to_string()[10..].to_owned()), "the same random part twice");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_never_half_kept() {
    let stage = Stage::set().await;
    for over in [1, 1_000_000] {
        let (status, answer) =
            stage.send("POST", &live_path(), vec![b'x'; BODY_INLINE_BYTES_MAX + over]).await;
        assert_eq!(status, 503, "{answer}");
        assert!(answer.contains("nothing was kept"), "{answer}");

        let mut sender = Chunked::open(&stage.edge, &live_path()).await;
        // The edge may answer before it has read all: then the rest cannot be sent, which is no fault.
        let _ = sender.chunk(&vec![b'x'; BODY_INLINE_BYTES_MAX + over]).await;
        let _ = sender.end().await;
        assert_eq!(sender.status().await, 503);
    }
    assert_eq!(stage.queue.take().len(), 0);
    // The connection or the isolate is none the worse.
    assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);
}

#[tokio::test]
async fn an_endless_chunked_body_is_cut_off() {
    const SENT_BYTES_MAX: usize = 64 << 20;
    let stage = Stage::set().await;
    let sender = Chunked::open(&stage.edge, &live_path()).await;
    let chunk = vec![b'x'; 64 << 10];
    let mut sent_bytes = 0;
    let Chunked { mut read, mut write } = sender;
    let mut answer = std::pin::pin!(read_status(&mut read));
    // Ends when the edge stops reading: its answer is there, or the connection is closed.
    let status = loop {
        tokio::select! {
            biased;
            status = &mut answer => break status,
            written = Chunked::write(&mut write, &chunk) => if written.is_err() {
                break answer.await;
            },
        }
        sent_bytes += chunk.len();
        assert!(sent_bytes < SENT_BYTES_MAX, "the edge goes on reading");
    };
    assert_eq!(status, Some(503));
    assert_eq!(stage.queue.take().len(), 0);
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing() {
    let stage = Stage::set().await;
    let mut stream = TcpStream::connect(stage.edge.workerd.addr()).await.expect("connect");
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf", live_path());
    stream.write_all(head.as_bytes()).await.expect("send half");
    drop(stream);
    assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);
    assert_eq!(stage.envelope().body.inline(), Some(&b"{}"[..]));
}

#[tokio::test]
async fn only_a_live_url_is_answered_with_a_2xx() {
    let stage = Stage::set().await;
    for path in [
        "/".to_owned(),
        "/in/".to_owned(),
        format!("/in/{SOURCE}"),
        format!("/in/{SOURCE}/"),
        format!("/in/{SOURCE}/{TOKEN}/"),
        format!("/in/{SOURCE}/{TOKEN}x"),
        format!("/in/{SOURCE}/{}", &TOKEN[1..]),
        format!("/in/{SOURCE}/{}", &TOKEN[..TOKEN.len() - 1]),
        format!("/in//{SOURCE}/{TOKEN}"),
        format!("/in/nobody/{TOKEN}"),
        format!("/in/%61mj/{TOKEN}"),
        format!("/in/{SOURCE}/{}", "x".repeat(8_000)),
    ] {
        for (method, body) in
            [("POST", vec![b'x'; 10]), ("GET", Vec::new()), ("POST", vec![0; BODY_INLINE_BYTES_MAX + 1])]
        {
            let (status, answer) = stage.send(method, &path, body).await;
            assert_eq!(
                (status, answer.as_str()),
                (404, r#"{"error":"no source has this URL"}"#),
                "{method} {path:.60}"
            );
        }
    }
    assert_eq!(stage.queue.take().len(), 0);
    for token in [TOKEN, TOKEN_BEFORE] {
        assert_eq!(stage.send("POST", &format!("/in/{SOURCE}/{token}?any=query"), Vec::new()).await.0, 202);
    }
}

#[tokio::test]
async fn no_queue_no_2xx() {
    let stage = Stage::set().await;
    let refused = (503, r#"{"error":"the queue did not take the event; nothing was kept"}"#.to_owned());
    stage.queue.set_mood(Mood::Overloaded);
    assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await, refused);
    stage.queue.set_mood(Mood::Takes);
    assert_eq!(stage.queue.take().len(), 0);
    assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);

    // And none at all: a port that nobody listens on.
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0))
        .expect("a free port")
        .local_addr()
        .expect("its address");
    let edge = Edge::start(closed).await.expect("it starts without its queue");
    let response = stage.client.post(edge.live_url()).body("{}").send().await.expect("the edge answers");
    assert_eq!((response.status().as_u16(), response.text().await.expect("text")), refused);
}

#[tokio::test]
async fn health_says_the_version_and_needs_no_queue() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let (status, answer) = stage.send("GET", "/healthz", Vec::new()).await;
    let expected = format!(r#"{{"status":"ok","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!((status, answer), (200, expected));
}

#[tokio::test]
async fn a_worker_without_sources_says_so_and_takes_nothing() {
    let queue = Recorder::start().await.expect("a free port");
    let short = [(SOURCE.to_owned(), vec!["short".to_owned()])];
    for (sources, words) in
        [(&short[..], "token 1 of `amj` is shorter than 16"), (&[], "SOURCES names no source")]
    {
        let edge =
            Edge::start_with(&root().join("worker/build"), queue.addr(), sources).await.expect("it starts");
        for path in [live_path(), "/healthz".to_owned()] {
            let response = client().get(edge.url(&path)).send().await.expect("the edge answers");
            assert_eq!(response.status(), 503);
            let answer = response.text().await.expect("text");
            assert!(answer.contains(words), "{answer}");
        }
    }
    assert_eq!(queue.take().len(), 0);
}

/// No proxy of this machine's environment stands between the test and the edge.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

#[tokio::test]
async fn a_trap_in_wasm_costs_one_request_and_disturbs_no_other() {
    // The same Worker, with its bindings wrapped so that one body traps: no input is known that does.
    let build = tempfile::tempdir().expect("a folder");
    copy_dir(&root().join("worker/build"), build.path());
    let bindings = build.path().join("tidegate_worker.js");
    std::fs::rename(&bindings, build.path().join("real.js")).expect("rename the bindings");
    let wrapper = r#"
        export * from "./real.js";
        import { accept as real } from "./real.js";
        import module from "./trap.wasm";
        const { trap } = new WebAssembly.Instance(module).exports;
        export function accept(head, body) {
          if (String.fromCharCode(...body) === "TRAP") trap();
          return real(head, body);
        }"#;
    std::fs::write(&bindings, wrapper).expect("write the wrapper");
    // (module (func (export "trap") unreachable))
    let trap =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x08\x01\x04trap\0\0\x0a\x05\x01\x03\0\0\x0b";
    std::fs::write(build.path().join("trap.wasm"), trap).expect("write the trap");
    let queue = Recorder::start().await.expect("a free port");
    let sources = [(SOURCE.to_owned(), vec![TOKEN.to_owned()])];
    let edge = Edge::start_with(build.path(), queue.addr(), &sources).await.expect("it starts");

    let mut waiting = Chunked::open(&edge, &live_path()).await;
    waiting.chunk(b"before ").await.expect("sent");
    let client = client();
    for _ in 0..3 {
        let trapped = client.post(edge.live_url()).body("TRAP").send().await.expect("the edge answers");
        assert_eq!(trapped.status(), 503);
        let next = client.post(edge.live_url()).body("next").send().await.expect("the edge answers");
        assert_eq!(next.status(), 202);
    }
    waiting.chunk(b"and after").await.expect("sent");
    waiting.end().await.expect("sent");
    assert_eq!(waiting.status().await, 202);
    let bodies: Vec<_> = queue
        .take()
        .iter()
        .map(|message| {
            Envelope::open(std::str::from_utf8(&message.body).expect("text"))
                .expect("an envelope")
                .body
                .inline()
                .expect("inline")
                .to_vec()
        })
        .collect();
    assert_eq!(bodies, [&b"next"[..], b"next", b"next", b"before and after"]);
}

#[tokio::test]
async fn the_tokens_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::set().await;
    let config = stage.edge.dir().join("config.capnp");
    let mode = std::fs::metadata(&config).expect("the configuration").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&config).expect("readable by us").contains(TOKEN));
    let process = stage.edge.workerd.process_id().expect("it runs");
    let command = std::fs::read(format!("/proc/{process}/cmdline")).expect("its command line");
    assert!(!String::from_utf8_lossy(&command).contains(TOKEN));
    stage.edge.workerd.stop().await.expect("it stops");
}

/// A request with a chunked body, sent by hand.
struct Chunked {
    read: tokio::net::tcp::OwnedReadHalf,
    write: tokio::net::tcp::OwnedWriteHalf,
}

impl Chunked {
    async fn open(edge: &Edge, path: &str) -> Self {
        let stream = TcpStream::connect(edge.workerd.addr()).await.expect("connect");
        let (read, mut write) = stream.into_split();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        write.write_all(head.as_bytes()).await.expect("send the head");
        Self { read, write }
    }

    async fn chunk(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        Self::write(&mut self.write, bytes).await
    }

    async fn write(write: &mut tokio::net::tcp::OwnedWriteHalf, bytes: &[u8]) -> std::io::Result<()> {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        write.write_all(&framed).await
    }

    async fn end(&mut self) -> std::io::Result<()> {
        self.write.write_all(b"0\r\n\r\n").await
    }

    async fn status(&mut self) -> u16 {
        let status = tokio::time::timeout(SENDER_WAITS, read_status(&mut self.read)).await;
        status.expect("the edge answers in time").expect("the edge answers")
    }
}

/// The status of the response; `None` when the connection ends without one.
async fn read_status(read: &mut tokio::net::tcp::OwnedReadHalf) -> Option<u16> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(read.read_u8().await.ok()?);
    }
    String::from_utf8(line).ok()?.split(' ').nth(1)?.parse().ok()
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("make a folder");
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy");
        }
    }
}
