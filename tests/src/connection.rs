//! One keep-alive HTTP/1.1 connection by hand: bytes go out as they are given. Knows no more of HTTP than where an
//! answer ends.

use anyhow::{Context as _, ensure};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of the longest response head and body taken.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Whether an answer's body follows its head. That of a HEAD request does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// As many bytes as the head says.
    Follows,
    /// None, whatever the head says.
    Absent,
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; RESPONSE_BYTES_MAX] })
    }

    /// Sends a request and reads the answer to its end: its status and its body. Not cancel-safe.
    ///
    /// # Errors
    /// When the connection is closed, or the answer has no content length or is too long.
    pub async fn exchange(&mut self, request: &[u8], body: Body) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await.context("send a request")?;
        let mut filled = 0;
        loop {
            let room = self.buffer.get_mut(filled..).filter(|room| !room.is_empty());
            let read = self.stream.read(room.context("the response is too long")?).await;
            let read = read.context("read a response")?;
            ensure!(read > 0, "the connection was closed before its response was whole");
            filled += read;
            let bytes = self.buffer.get(..filled).context("the response")?;
            let Some(head_bytes) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
            else {
                continue;
            };
            let head = std::str::from_utf8(bytes.get(..head_bytes).context("the head")?)?;
            let status = head.split(' ').nth(1).context("a response has a status")?.parse()?;
            let end = head_bytes + if body == Body::Follows { content_length(head)? } else { 0 };
            if filled >= end {
                return Ok((status, self.buffer.get(head_bytes..end).context("the body")?));
            }
        }
    }
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    value.context("a response has a content length")?.parse().context("read the content length")
}
