//! One repository of a registry, over HTTP (<https://github.com/opencontainers/distribution-spec>). Knows nothing of what is
//! kept there.

use super::access::{self, Challenge};
use super::document::{MEDIA_TYPE, Part};
use super::reference::Reference;
use anyhow::{Context as _, bail, ensure};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use std::time::Duration;
use tidegate_envelope::Digest;

/// The longest that a registry may take to connect, and to send the next bytes.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes of an error that are read.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// A repository, as we may use it.
pub(super) struct Registry {
    http: Client,
    base: Url,
    name: String,
    repository: String,
    login: String,
    actions: &'static str,
    authorization: Option<HeaderValue>,
}

impl Registry {
    /// The repository of this reference.
    pub(super) fn new(reference: &Reference) -> anyhow::Result<Self> {
        let base =
            reference.base().with_context(|| format!("read the registry's host `{}`", reference.host))?;
        let mut client = Client::builder().connect_timeout(CONNECT_MAX).read_timeout(SILENCE_MAX);
        // What begins by https stays there, redirects included; what is on this machine needs no proxy.
        client = if base.scheme() == "https" { client.https_only(true) } else { client.no_proxy() };
        Ok(Self {
            http: client.build().context("set up TLS")?,
            base,
            name: format!("{}/{}", reference.host, reference.repository),
            repository: reference.repository.clone(),
            login: reference.login().to_owned(),
            actions: "pull",
            authorization: None,
        })
    }

    /// The same, to push to.
    pub(super) fn pushing(self) -> Self {
        Self { actions: "pull,push", ..self }
    }

    /// The document under a tag or a digest.
    pub(super) async fn document(&mut self, at: &str, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
        let url = self.url(&format!("manifests/{at}"))?;
        let index = "application/vnd.oci.image.index.v1+json";
        let accepted = format!("{MEDIA_TYPE}, application/vnd.docker.distribution.manifest.v2+json, {index}");
        let what = format!("read {at} of {}", self.name);
        let request = move |http: &Client| http.get(url.clone()).header(ACCEPT, &accepted);
        let response = self.send(&request).await.with_context(|| what.clone())?;
        ensure!(
            response.status() != StatusCode::NOT_FOUND,
            "{} has no {at}: is it written right, and was it pushed?",
            self.name
        );
        let response = succeeded(response, &self.login).await.with_context(|| what.clone())?;
        read(response, bytes_max).await.context(what)
    }

    /// The bytes of a part, which are what its digest says.
    pub(super) async fn blob(&mut self, part: &Part, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
        let digest = part.sha256()?;
        let what = format!("read {} of {}", part.title().unwrap_or("a layer"), self.name);
        ensure!(
            usize::try_from(part.size).is_ok_and(|bytes| bytes <= bytes_max),
            "{what}: it has {} bytes, at most {bytes_max} are taken",
            part.size
        );
        let url = self.url(&format!("blobs/sha256:{digest}"))?;
        let response =
            self.send(&move |http: &Client| http.get(url.clone())).await.with_context(|| what.clone())?;
        let response = succeeded(response, &self.login).await.with_context(|| what.clone())?;
        let bytes = read(response, bytes_max).await.with_context(|| what.clone())?;
        let found = Digest::of(&bytes);
        ensure!(
            found == digest,
            "{what}: the registry gave bytes whose SHA-256 is {found}, not {digest}: it is damaged there or on the way"
        );
        Ok(bytes)
    }

    /// Puts a part there, unless it is there already.
    pub(super) async fn upload(&mut self, part: &Part, bytes: Vec<u8>) -> anyhow::Result<()> {
        let digest = format!("sha256:{}", part.sha256()?);
        let what = format!("push {} to {}", part.title().unwrap_or("the configuration"), self.name);
        let url = self.url(&format!("blobs/{digest}"))?;
        let found =
            self.send(&move |http: &Client| http.head(url.clone())).await.with_context(|| what.clone())?;
        if found.status().is_success() {
            return Ok(());
        }
        let url = self.url("blobs/uploads/")?;
        let begun =
            self.send(&move |http: &Client| http.post(url.clone())).await.with_context(|| what.clone())?;
        let begun = succeeded(begun, &self.login).await.with_context(|| what.clone())?;
        let location = begun.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let mut to = begun.url().join(location.context("the registry does not say where to send it")?)?;
        to.query_pairs_mut().append_pair("digest", &digest);
        let put = move |http: &Client| {
            let request = http.request(Method::PUT, to.clone());
            request.header(CONTENT_TYPE, "application/octet-stream").body(bytes.clone())
        };
        let sent = self.send(&put).await.with_context(|| what.clone())?;
        succeeded(sent, &self.login).await.map(drop).context(what)
    }

    /// Puts the document under a tag.
    pub(super) async fn put_document(&mut self, tag: &str, text: Vec<u8>) -> anyhow::Result<()> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let what = format!("push {tag} to {}", self.name);
        let put = move |http: &Client| {
            http.request(Method::PUT, url.clone()).header(CONTENT_TYPE, MEDIA_TYPE).body(text.clone())
        };
        let sent = self.send(&put).await.with_context(|| what.clone())?;
        succeeded(sent, &self.login).await.map(drop).context(what)
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.base.join(&format!("v2/{}/{path}", self.repository))?)
    }

    /// Sends a request; once more when the registry wants to know first who asks.
    async fn send(&mut self, request: &impl Fn(&Client) -> RequestBuilder) -> anyhow::Result<Response> {
        let response = self.send_as_known(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenge = headers.filter_map(|value| Challenge::parse(value.to_str().ok()?)).next();
        let challenge =
            challenge.context("the registry refuses (401) and does not say what it wants to know")?;
        let scope = format!("repository:{}:{}", self.repository, self.actions);
        self.authorization = Some(access::answer(&self.http, challenge, &self.login, scope).await?);
        self.send_as_known(request).await
    }

    async fn send_as_known(&self, request: &impl Fn(&Client) -> RequestBuilder) -> anyhow::Result<Response> {
        let mut request = request(&self.http).build()?;
        // Where an upload goes is the registry's word: to another host nothing goes that says who we are.
        if let Some(authorization) = &self.authorization
            && request.url().origin() == self.base.origin()
        {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let unreachable = || format!("reach the registry at {}", self.base);
        self.http.execute(request).await.with_context(unreachable)
    }
}

/// The answer, when it is a good one; else the registry's own words.
async fn succeeded(response: Response, login: &str) -> anyhow::Result<Response> {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        code: String,
        #[serde(default)]
        message: String,
    }
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let login = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("; type `docker login {login}`, with a name that may do this")
        }
        _ => String::new(),
    };
    let said = read(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    let said = serde_json::from_slice::<Said>(&said).map(|said| said.errors).unwrap_or_default();
    let said: String = said.iter().map(|problem| format!(": {} {}", problem.code, problem.message)).collect();
    bail!("the registry answered {status}{said}{login}")
}

/// The body, which is no longer than this.
async fn read(mut response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the connection broke")? {
        ensure!(bytes.len() + chunk.len() <= bytes_max, "it is longer than {bytes_max} bytes");
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
