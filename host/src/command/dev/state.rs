//! What `tidegate dev` remembers between two starts: its secrets and its ports.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tidegate_envelope::SourceName;

/// The content of `dev.json`, readable by this user alone.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// The only secret in the request URL.
    pub(super) source_token: String,
    /// The bearer token of the host at the edge. Not there in what older versions left: then a new one is made.
    #[serde(default)]
    pub(super) edge_token: String,
    /// The bearer token of the queue's REST API.
    pub(super) queue_token: String,
    /// The account that the embedded queue plays.
    pub(super) account_id: String,
    /// Where events were received; 0 before the first start.
    pub(super) request_port: u16,
    /// Where the queue's REST API was.
    pub(super) queue_port: u16,
}

impl State {
    /// What the last start left, if there was one.
    pub(super) fn load(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = data.join("dev.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let state = serde_json::from_str(&text)
            .with_context(|| format!("read {}: delete it to get new secrets and URLs", path.display()))?;
        Ok(Some(state))
    }

    /// What the last start left, or new secrets.
    pub(super) fn load_or_make(data: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("make the directory {}", data.display()))?;
        if let Some(mut state) = Self::load(data)? {
            if state.edge_token.is_empty() {
                state.edge_token = crate::command::random_token()?;
                state.save(data)?;
            }
            return Ok(state);
        }
        let state = Self {
            source_token: crate::command::random_token()?,
            edge_token: crate::command::random_token()?,
            queue_token: crate::command::random_token()?,
            account_id: crate::command::random_hex::<16>()?,
            request_port: 0,
            queue_port: 0,
        };
        state.save(data)?;
        Ok(state)
    }

    /// Where this source takes events, at the edge that is there.
    pub(super) fn request_url(&self, edge_url: &str, source: &SourceName) -> String {
        format!("{edge_url}/in/{source}/{}", self.source_token)
    }

    /// Keeps the ports for the next start.
    pub(super) fn remember(&mut self, data: &Path, request_port: u16, queue_port: u16) -> anyhow::Result<()> {
        self.request_port = request_port;
        self.queue_port = queue_port;
        self.save(data)
    }

    /// Written beside and renamed over: a crash leaves the old file or the new one.
    fn save(&self, data: &Path) -> anyhow::Result<()> {
        let (path, beside) = (data.join("dev.json"), data.join("dev.json.new"));
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, &path).with_context(|| format!("write {}", path.display()))
    }
}
