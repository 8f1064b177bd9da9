//! What the tests of the edge share: a Worker in front of a queue that does as it is told, clients, and ways to break
//! things.

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_envelope::Envelope;
use tidegate_source::status::{SourceStatus, Status};
use tidegate_tests::edge::{Edge, EdgeOptions, HOST_TOKEN, QUEUE, live_path};
use tidegate_tests::recorder::{Recorded, Recorder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// No answer of the edge may take longer than the sender waits for it.
pub(crate) const SENDER_WAITS: Duration = Duration::from_secs(3);
/// Long enough for anything that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) queue: Recorder,
    pub(crate) client: reqwest::Client,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::set_with(|_| {}).await
    }

    /// With other options than the usual.
    pub(crate) async fn set_with(change: impl FnOnce(&mut EdgeOptions)) -> Self {
        let queue = Recorder::start().await.expect("a free port");
        let mut options = EdgeOptions::usual(queue.addr());
        change(&mut options);
        let edge = Edge::start_with(options).await.expect("the built Worker starts");
        Self { edge, queue, client: client() }
    }

    pub(crate) async fn kill_and_restart(self) -> Self {
        let Self { edge, queue, client } = self;
        let edge = edge.kill().await.expect("it ends").start().await.expect("it starts again");
        Self { edge, queue, client }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String) {
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

    /// Posts to the live URL, expects a 2xx, gives the receipt.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> String {
        let (status, answer) = self.send("POST", &live_path(), body).await;
        assert_eq!(status, 202, "{answer}");
        receipt(&answer)
    }

    /// As [`Stage::post`], so many at the same time.
    pub(crate) async fn post_at_once(&self, count: usize, body: &[u8]) -> Vec<String> {
        let mut posts = tokio::task::JoinSet::new();
        for _ in 0..count {
            posts.spawn(self.client.post(self.edge.live_url()).body(body.to_vec()).send());
        }
        let mut receipts = Vec::new();
        for post in posts.join_all().await {
            let answer = post.expect("the edge answers");
            assert_eq!(answer.status(), 202);
            receipts.push(receipt(&answer.text().await.expect("text")));
        }
        receipts
    }

    /// The one envelope on the queue since the last look.
    pub(crate) fn envelope(&self) -> Envelope {
        let recorded = self.queue.take();
        let [message] = recorded.as_slice() else {
            panic!("{} messages on the queue instead of 1", recorded.len());
        };
        assert_eq!((message.format.as_str(), message.queue.as_str()), ("text", QUEUE));
        opened(message)
    }

    /// Asks a path of the host's, with its token.
    pub(crate) async fn host(&self, method: &str, path: &str) -> reqwest::Response {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.edge.url(path)).bearer_auth(HOST_TOKEN);
        request.send().await.expect("the edge answers")
    }

    pub(crate) async fn status(&self) -> Status {
        let response = self.host("GET", "/status").await;
        assert_eq!(response.status(), 200);
        response.json().await.expect("a status")
    }

    /// The status of the one source, once it is like this. It is told after the answer, so it may come a moment later.
    pub(crate) async fn source_status(&self, like: impl Fn(&SourceStatus) -> bool) -> SourceStatus {
        let asked = async {
            loop {
                let status = self.status().await;
                let [source] = status.sources.as_slice() else { panic!("{status:?}") };
                if like(source) {
                    return source.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(source) => source,
            Err(_) => panic!("it stays {:?}", self.status().await),
        }
    }

    /// The files of the vaults' objects.
    pub(crate) fn vault_files(&self) -> Vec<PathBuf> {
        let dir = self.edge.dir().join("vaults/vault");
        let files =
            std::fs::read_dir(&dir).expect("the vaults' folder").map(|entry| entry.expect("a file").path());
        let databases = files.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
        databases.filter(|path| !path.ends_with("metadata.sqlite")).collect()
    }

    /// Takes the write lock of the one vault's file: nothing can be written to it until this is dropped.
    pub(crate) fn lock_vault(&self) -> Connection {
        let files = self.vault_files();
        let [file] = files.as_slice() else { panic!("one vault: {files:?}") };
        let lock = Connection::open(file).expect("the vault's file");
        lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        lock
    }
}

/// No proxy of this machine's environment stands between the test and the edge.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(SENDER_WAITS).build().expect("a client")
}

/// The receipt in a 2xx.
pub(crate) fn receipt(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).expect("JSON");
    answer["receipt"].as_str().expect("a receipt").to_owned()
}

/// The envelope of a message.
pub(crate) fn opened(message: &Recorded) -> Envelope {
    Envelope::open(std::str::from_utf8(&message.body).expect("text")).expect("an envelope")
}

/// The receipts of messages.
pub(crate) fn receipts(messages: &[Recorded]) -> Vec<String> {
    messages.iter().map(|message| opened(message).receipt.to_string()).collect()
}

/// A request with a chunked body, sent by hand.
pub(crate) struct Chunked {
    pub(crate) read: OwnedReadHalf,
    pub(crate) write: OwnedWriteHalf,
}

impl Chunked {
    pub(crate) async fn open(edge: &Edge, path: &str) -> Self {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        Self::raw(edge, &head).await
    }

    /// A request with any head.
    pub(crate) async fn raw(edge: &Edge, head: &str) -> Self {
        let stream = TcpStream::connect(edge.workerd.addr()).await.expect("connect");
        let (read, mut write) = stream.into_split();
        write.write_all(head.as_bytes()).await.expect("send the head");
        Self { read, write }
    }

    pub(crate) async fn chunk(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        Self::write(&mut self.write, bytes).await
    }

    pub(crate) async fn write(write: &mut OwnedWriteHalf, bytes: &[u8]) -> std::io::Result<()> {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        write.write_all(&framed).await
    }

    pub(crate) async fn end(&mut self) -> std::io::Result<()> {
        self.write.write_all(b"0\r\n\r\n").await
    }

    /// The status after an interim one.
    pub(crate) async fn next_status(&mut self) -> u16 {
        let mut line = Vec::new();
        while line != b"\r\n" {
            line.clear();
            while !line.ends_with(b"\r\n") {
                line.push(self.read.read_u8().await.expect("the edge answers"));
            }
        }
        self.status().await
    }

    pub(crate) async fn status(&mut self) -> u16 {
        let status = tokio::time::timeout(SENDER_WAITS, read_status(&mut self.read)).await;
        status.expect("the edge answers in time").expect("the edge answers")
    }
}

/// The status of the response; `None` when the connection ends without one.
pub(crate) async fn read_status(read: &mut OwnedReadHalf) -> Option<u16> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(read.read_u8().await.ok()?);
    }
    String::from_utf8(line).ok()?.split(' ').nth(1)?.parse().ok()
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
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

/// Bytes that differ at every place.
pub(crate) fn varied(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at ^ (at >> 8)) % 251).expect("a byte")).collect()
}
