//! A server that answers every request as it is told and keeps what it was asked.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: serde_json::Value,
}

/// What it answers: a status, headers and a body.
pub(crate) type Answer = (u16, &'static [(&'static str, &'static str)], &'static str);

/// A server that is told what to answer.
pub(crate) struct Scripted {
    pub(crate) base_url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) async fn start((status, headers, body): Answer) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let keep = Arc::clone(&asked);
        let answer = move |uri: Uri, asked_headers: HeaderMap, asked_body: Bytes| async move {
            keep.lock().expect("nobody panics while holding it").push(Asked {
                path: uri.path().to_owned(),
                headers: asked_headers,
                body: serde_json::from_slice(&asked_body).expect("JSON"),
            });
            let mut answer = HeaderMap::new();
            for (name, value) in headers {
                answer.insert(*name, value.parse().expect("a header's value"));
            }
            (StatusCode::from_u16(status).expect("a status"), answer, body)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { base_url: format!("http://{address}/client/v4"), asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panics while holding it").clone()
    }
}
