//! Requests that no sane sender makes, and some that sane ones do: for throwing at a URL. The same seed makes the
//! same requests. Knows nothing of what is behind the URL.

mod body;

use crate::life::{Life, LifeOptions, Oddities};

/// The methods that workerd's HTTP parser knows, as it spells them, but CONNECT, which asks for a tunnel. It answers
/// 501 to any other before a Worker sees it
/// (`KJ_HTTP_FOR_EACH_METHOD` in <https://github.com/capnproto/capnproto/blob/v2/c%2B%2B/src/kj/compat/http.h>).
pub const METHODS: [&str; 26] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "PURGE",
    "OPTIONS",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "MSEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
];
/// Header lines added to one request.
const HEADERS_MAX: usize = 24;
/// Bytes of one header's value.
const HEADER_BYTES_MAX: usize = 2_000;

/// Content types: right, nearly right, and nonsense.
const CONTENT_TYPES: [&str; 14] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=utf-16",
    "application/cloudevents+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/html",
    "text/plain; charset=latin1",
    "application/octet-stream",
    "",
    ";;;=",
    "json",
    "application/json, text/plain",
];
/// Headers that mean something to somebody on the way.
const HEADERS: [(&str, &str); 22] = [
    ("Accept", "*/*"),
    ("Accept-Encoding", "br;q=1.0, gzip, *;q=0"),
    ("Authorization", "Bearer nobody"),
    ("Cache-Control", "no-store, max-age=-1"),
    ("CF-Connecting-IP", "not an address"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "br, deflate"),
    ("Content-Language", "tlh"),
    ("Cookie", "a=b; c"),
    ("Date", "yesterday"),
    ("Forwarded", "for=\"[::1]:99999\""),
    ("If-None-Match", "*"),
    ("Idempotency-Key", "\"\""),
    ("Origin", "null"),
    ("Range", "bytes=9-1"),
    ("Referer", "http://[not a url"),
    ("Traceparent", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff"),
    ("User-Agent", ""),
    ("X-Forwarded-For", "' OR 1=1 --"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Hub-Signature-256", "sha256=00"),
    ("Webhook-Id", "msg_\u{0}"),
];

/// How a body's length is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`.
    Length,
    /// In chunks of this many bytes, at least 1.
    Chunks(usize),
}

/// One request, all but its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// Header lines, those that say the length excepted. Values are bytes: they need not be text.
    pub headers: Vec<(String, Vec<u8>)>,
    /// How the length is said. A GET or HEAD without a body says none.
    pub framing: Framing,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The request on the wire of HTTP/1.1.
    #[must_use]
    pub fn wire(&self, path: &str, host: &str) -> Vec<u8> {
        let mut wire = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", self.method).into_bytes();
        for (name, value) in &self.headers {
            wire.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match self.framing {
            Framing::Length if self.body.is_empty() && matches!(self.method, "GET" | "HEAD") => {
                wire.extend(b"\r\n");
            }
            Framing::Length => {
                wire.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).into_bytes());
                wire.extend(&self.body);
            }
            Framing::Chunks(bytes) => {
                wire.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(bytes.max(1)) {
                    wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    wire.extend([chunk, b"\r\n"].concat());
                }
                wire.extend(b"0\r\n\r\n");
            }
        }
        wire
    }
}

/// An endless stream of requests.
#[derive(Clone, Debug)]
pub struct Mutator {
    rng: fastrand::Rng,
    life: Life,
    body_bytes_max: usize,
}

impl Mutator {
    /// Requests whose bodies are no longer than this.
    #[must_use]
    pub fn new(seed: u64, body_bytes_max: usize) -> Self {
        let options = LifeOptions { seed, assets: 50, oddities: Oddities::MANY };
        Self { rng: fastrand::Rng::with_seed(seed), life: Life::new(options), body_bytes_max }
    }

    fn headers(&mut self) -> Vec<(String, Vec<u8>)> {
        let rng = &mut self.rng;
        let mut headers = Vec::new();
        if rng.u8(..) < 220 {
            headers.push(("Content-Type".to_owned(), one_of(rng, &CONTENT_TYPES).as_bytes().to_vec()));
        }
        // Most requests have few headers, some have many.
        let few = rng.usize(0..4);
        let count = if rng.u8(..) < 16 { rng.usize(0..HEADERS_MAX) } else { few };
        for number in 0..count {
            let header = match rng.u8(0..4) {
                0 => (format!("X-Odd-{number}"), header_value(rng)),
                1 => (token(rng, number), header_value(rng)),
                _ => {
                    let (name, value) = one_of(rng, &HEADERS);
                    (name.to_owned(), visible(value.as_bytes()))
                }
            };
            headers.push(header);
        }
        headers
    }
}

impl Iterator for Mutator {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let event = self.life.next().map(|event| event.body.to_vec()).unwrap_or_default();
        let mut body = body::odd(&mut self.rng, event, self.body_bytes_max);
        body.truncate(self.body_bytes_max);
        let headers = self.headers();
        let rng = &mut self.rng;
        let method = if rng.bool() { "POST" } else { one_of(rng, &METHODS) };
        let framing = match rng.u8(..) {
            0..32 => Framing::Chunks(length(rng, 4_096).max(body.len() / 64).max(1)),
            _ => Framing::Length,
        };
        Some(Request { method, headers, framing, body })
    }
}

fn one_of<T: Copy>(rng: &mut fastrand::Rng, list: &[T]) -> T {
    *rng.choice(list).expect("the list is not empty")
}

/// A length up to this: short ones as likely as long ones, by their order of magnitude.
fn length(rng: &mut fastrand::Rng, max: usize) -> usize {
    let magnitude = rng.u32(0..=max.max(1).ilog2());
    rng.usize(0..=(1 << (magnitude + 1))).min(max)
}

fn random_bytes(rng: &mut fastrand::Rng, bytes: usize) -> Vec<u8> {
    let mut body = vec![0; bytes];
    rng.fill(&mut body);
    body
}

/// A header's name: characters that a token may have and that names seldom do.
fn token(rng: &mut fastrand::Rng, number: usize) -> String {
    let signs = b"!#$%&'*+-.^_`|~0aZ";
    let odd: String = (0..rng.usize(1..12)).map(|_| char::from(one_of(rng, signs))).collect();
    format!("x{number}{odd}")
}

/// Any bytes that a header's value may have.
fn header_value(rng: &mut fastrand::Rng) -> Vec<u8> {
    let bytes = length(rng, HEADER_BYTES_MAX);
    visible(&random_bytes(rng, bytes))
}

/// These bytes without those that end a header or that parsers refuse, and without spaces at the ends.
fn visible(bytes: &[u8]) -> Vec<u8> {
    let is_refused = |byte: u8| byte < 0x20 || byte == 0x7f;
    let bytes: Vec<u8> = bytes.iter().map(|byte| if is_refused(*byte) { b'.' } else { *byte }).collect();
    bytes.trim_ascii().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const REQUESTS: usize = 20_000;
    const BODY_BYTES_MAX: usize = 16_384;

    fn requests(seed: u64) -> Vec<Request> {
        Mutator::new(seed, BODY_BYTES_MAX).take(REQUESTS).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_requests_and_another_makes_others() {
        assert_eq!(requests(7), requests(7));
        assert_ne!(requests(7), requests(8));
    }

    #[test]
    fn requests_are_odd_in_every_way_and_within_their_bounds() {
        let requests = requests(1);
        let methods: HashSet<_> = requests.iter().map(|request| request.method).collect();
        assert_eq!(methods.len(), METHODS.len());
        assert!(requests.iter().all(|request| request.body.len() <= BODY_BYTES_MAX));
        assert!(requests.iter().all(|request| request.headers.len() <= HEADERS_MAX + 1));
        let count = |what: &str, is: &dyn Fn(&Request) -> bool| {
            let count = requests.iter().filter(|request| is(request)).count();
            assert!(count > 100, "{what}: {count} of {REQUESTS}");
        };
        count("an empty body", &|request| request.body.is_empty());
        count("a body of the full length", &|request| request.body.len() > BODY_BYTES_MAX / 2);
        count("no UTF-8", &|request| std::str::from_utf8(&request.body).is_err());
        count("JSON", &|request| serde_json::from_slice::<serde_json::Value>(&request.body).is_ok());
        count("text that is no JSON", &|request| {
            std::str::from_utf8(&request.body).is_ok()
                && serde_json::from_slice::<serde::de::IgnoredAny>(&request.body).is_err()
        });
        count("deep nesting", &|request| request.body.starts_with(&b"[".repeat(200)));
        count("chunks", &|request| matches!(request.framing, Framing::Chunks(_)));
        count("no content type", &|request| !request.headers.iter().any(|(name, _)| name == "Content-Type"));
        count("header bytes that are no ASCII", &|request| {
            request.headers.iter().any(|(_, value)| !value.is_ascii())
        });
        count("many headers", &|request| request.headers.len() > 10);
    }

    #[test]
    fn a_request_on_the_wire_says_its_length() {
        let request = Request {
            method: "PUT",
            headers: vec![("X-Odd".to_owned(), vec![0xff])],
            framing: Framing::Length,
            body: b"ab".to_vec(),
        };
        let wire = request.wire("/in/a/b", "h");
        assert_eq!(wire, b"PUT /in/a/b HTTP/1.1\r\nHost: h\r\nX-Odd: \xff\r\nContent-Length: 2\r\n\r\nab");
        let chunked = Request { framing: Framing::Chunks(1), headers: Vec::new(), ..request };
        let wire = chunked.wire("/", "h");
        assert!(wire.ends_with(b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    }
}
