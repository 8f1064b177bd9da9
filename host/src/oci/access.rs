//! Who we are to a registry: what it wants to know, and what the Docker configuration says. Knows nothing of plugins.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use serde::Deserialize;

/// What we call ourselves where a token is asked for with another.
const CLIENT_ID: &str = "tidegate";

/// How a registry wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, which is had at `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads the header `WWW-Authenticate`.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

/// `name="value"` after `name="value"`; a value may have commas in it.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let quoted = after.strip_prefix('"').and_then(|inner| inner.split_once('"'));
        let (value, left) = quoted.unwrap_or_else(|| after.split_once(',').unwrap_or((after, "")));
        found.push((name.trim_matches([' ', ',']), value.to_owned()));
        rest = left;
    }
    found
}

/// The credentials for this registry, by the name that `docker login` knows it under; `None` when nobody has logged in.
pub(super) fn credential(login: &str) -> anyhow::Result<Option<DockerCredential>> {
    use CredentialRetrievalError as Error;
    match docker_credential::get_credential(login) {
        Ok(credential) => Ok(Some(credential)),
        // No file is no credential, and so is a helper that has none.
        Err(Error::NoCredentialConfigured | Error::ConfigNotFound) => Ok(None),
        Err(Error::ConfigReadError) if !config_file().is_some_and(|file| file.exists()) => Ok(None),
        Err(Error::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => Ok(None),
        Err(error) => {
            let file = config_file().unwrap_or_default();
            Err(error).with_context(|| format!("read the credentials for {login} ({})", file.display()))
        }
    }
}

/// The Docker configuration's file.
fn config_file() -> Option<std::path::PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
    let dir = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))?;
    Some(dir.join("config.json"))
}

/// What is sent with each request after this challenge. `scope` is what is asked for where the challenge does not say.
///
/// # Errors
/// When the registry wants to know who asks and nobody has logged in, or it refuses the credentials.
pub(super) async fn answer(
    http: &Client,
    challenge: Challenge,
    login: &str,
    scope: String,
) -> anyhow::Result<HeaderValue> {
    let credential = credential(login)?;
    let mut header = match challenge {
        Challenge::Basic => match credential {
            Some(DockerCredential::UsernamePassword(user, password)) => basic(&user, &password),
            _ => bail!("it wants a name and a password: type `docker login {login}` first"),
        },
        Challenge::Bearer { realm, service, scope: asked } => {
            let scope = asked.unwrap_or(scope);
            let token = token(http, &realm, service, scope, credential, login).await?;
            format!("Bearer {token}")
        }
    }
    .parse::<HeaderValue>()
    .context("the registry's token is no header")?;
    header.set_sensitive(true);
    Ok(header)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Asks for a token: with a name and a password, with the token of a login, or as nobody.
async fn token(
    http: &Client,
    realm: &str,
    service: Option<String>,
    scope: String,
    credential: Option<DockerCredential>,
    login: &str,
) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Given {
        token: Option<String>,
        access_token: Option<String>,
    }
    let mut url =
        Url::parse(realm).with_context(|| format!("the registry's token server `{realm}` is no URL"))?;
    ensure!(
        crate::effect::secret::is_secure(&url),
        "the registry's token server is {realm}, and credentials travel by https alone"
    );
    let service = service.map(|service| ("service", service));
    let fields: Vec<_> = service.into_iter().chain([("scope", scope)]).collect();
    let is_known = credential.is_some();
    let request = match credential {
        Some(DockerCredential::IdentityToken(token)) => {
            let more = [
                ("grant_type", "refresh_token".to_owned()),
                ("client_id", CLIENT_ID.to_owned()),
                ("refresh_token", token),
            ];
            let fields = fields.into_iter().chain(more);
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
        }
        Some(DockerCredential::UsernamePassword(user, password)) => {
            url.query_pairs_mut().extend_pairs(fields);
            http.get(url).header("authorization", basic(&user, &password))
        }
        None => {
            url.query_pairs_mut().extend_pairs(fields);
            http.get(url)
        }
    };
    let response = request.send().await.context("ask the registry's token server")?;
    let status = response.status();
    if !status.is_success() {
        let todo = if is_known { "again" } else { "first" };
        bail!("its token server answered {status}: type `docker login {login}` {todo}");
    }
    let given: Given = response.json().await.context("read what the registry's token server gave")?;
    given.token.or(given.access_token).context("the registry's token server gave no token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_how_and_where() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (header, expected) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a.example/token\",service=\"r.example\",scope=\"repository:a/b:pull,push\"",
                Some(bearer("https://a.example/token", Some("r.example"), Some("repository:a/b:pull,push"))),
            ),
            (
                "bearer  realm=https://a.example/token, service=r",
                Some(bearer("https://a.example/token", Some("r"), None)),
            ),
            ("Bearer service=\"r\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(header), expected, "{header}");
        }
    }
}
