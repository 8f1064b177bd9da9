//! The command line's side of the admin API, and how it finds the host.

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where a running host is, and the token to speak to it: the content of `admin.json` in its directory.
#[derive(Clone, Serialize, Deserialize)]
pub struct Address {
    /// The API's base URL.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

impl Address {
    fn path(dir: &Path) -> PathBuf {
        dir.join("admin.json")
    }

    /// Leaves the address for the command line, readable by this user alone.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = Self::path(dir);
        let _ = std::fs::remove_file(&path);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("write {}", path.display()))?;
        file.write_all(&serde_json::to_vec(self)?).with_context(|| format!("write {}", path.display()))
    }

    /// The address of the host that works in this directory.
    ///
    /// # Errors
    /// When no host was ever started there.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = Self::path(dir);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "no host has worked in {} (no {}): start one with `tidegate dev`, or name its directory with --data",
                dir.display(),
                path.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
    }
}

/// Speaks to one host.
pub struct Client {
    address: Address,
    http: reqwest::Client,
}

impl Client {
    /// A client of the host at this address, which trusts this authority, too.
    ///
    /// # Errors
    /// When the authority's file is none, or the machine's TLS set-up is broken.
    pub fn new(address: Address, authority: Option<&Path>) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder().no_proxy();
        if let Some(file) = authority {
            let pem = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("read {}: it is no PEM", file.display()))?
            {
                http = http.add_root_certificate(certificate);
            }
        }
        Ok(Self { address, http: http.build()? })
    }

    /// Asks for a resource.
    ///
    /// # Errors
    /// When no host listens there, or it refuses: the error is its own sentence.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, None::<&()>).await
    }

    /// Asks for what this query says; what is absent in it is not said.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> anyhow::Result<T> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        if let serde_json::Value::Object(fields) = serde_json::to_value(query)? {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                pairs.append_pair(name, &text);
            }
        }
        self.get(&format!("{path}?{}", pairs.finish())).await
    }

    /// Sends a resource.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Takes a resource away.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::DELETE, path, None::<&()>).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.address.url);
        let mut request = self.http.request(method, &url).bearer_auth(&self.address.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let no_host = || format!("no host answers at {}: start one with `tidegate dev`", self.address.url);
        let response = request.send().await.with_context(no_host)?;
        let status = response.status();
        let bytes = response.bytes().await.with_context(no_host)?;
        if !status.is_success() {
            #[derive(Deserialize)]
            struct Refused {
                error: String,
            }
            match serde_json::from_slice::<Refused>(&bytes) {
                Ok(refused) => bail!("{}", refused.error),
                Err(_) => bail!("{url} answered {status}"),
            }
        }
        serde_json::from_slice(&bytes).with_context(|| format!("read the answer of {url}"))
    }
}
