//! A registry that believes the tokens of another server, as public ones do. The registry is real, and so are the tokens: it
//! checks their signature.

use super::{docker, plugin, push};
use anyhow::{Context as _, ensure};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::registry::Registry;
use tokio::net::TcpListener;

/// Who may push; everybody may pull.
const ADA: &str = "ada:horse-battery";

/// What makes tokens.
struct Issuer {
    key: KeyPair,
    certificate: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_had_where_the_registry_says() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["tests".to_owned()])?.self_signed(&key)?;
    let issuer = Arc::new(Issuer { key, certificate: certificate.der().to_vec() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let realm = format!("http://{}/token", listener.local_addr()?);
    let router = Router::new().route("/token", get(token)).with_state(issuer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let registry = Registry::start_with(|dir: &Path| {
        let file = dir.join("issuer.pem");
        fs::write(&file, certificate.pem())?;
        let bundle = file.display();
        Ok(format!(
            "auth: {{token: {{realm: '{realm}', service: tests, issuer: tests, rootcertbundle: {bundle}}}}}"
        ))
    })
    .await?;

    let (pushed, to) = (plugin(dir.path(), "pushed", "")?, registry.at("team/a:1"));
    let auths = |auth: &str| json!({ "auths": { &registry.host: { "auth": STANDARD.encode(auth) } } });
    let cli = Cli::new(dir.path());
    let nobody = cli.clone().with("DOCKER_CONFIG", &docker(dir.path(), "nobody", &json!({}))?);
    let ada = cli.clone().with("DOCKER_CONFIG", &docker(dir.path(), "ada", &auths(ADA))?);
    let wrong = cli.with("DOCKER_CONFIG", &docker(dir.path(), "wrong", &auths("ada:horse"))?);

    for (cli, words) in [
        (&nobody, ["401", "type `docker login", &registry.host]),
        (&wrong, ["its token server answered 401", "again", &registry.host]),
    ] {
        let said = cli.refusal(&["plugin", "push", "pushed", &to]).await?;
        for word in words {
            ensure!(said.contains(word), "`{said}` should say `{word}`");
        }
    }
    let pinned = push(&ada, &pushed, &to).await?;
    // As nobody, with a token that says so; what is copied is the same.
    let copied = push(&ada, Path::new(&pinned), &registry.at("team/b:1")).await?;
    ensure!(copied.rsplit('@').next() == pinned.rsplit('@').next(), "{copied} is {pinned}");
    let said = nobody.refusal(&["plugin", "deploy", &to]).await?;
    ensure!(said.contains("no host has worked in"), "it was read, and there is no host: {said}");
    Ok(())
}

/// Gives a token with what may be done of what is asked for.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let is_ada = match given {
        None => false,
        Some(given) if given == STANDARD.encode(ADA) => true,
        Some(_) => return Err(StatusCode::UNAUTHORIZED),
    };
    let scope = asked.get("scope").map(String::as_str).unwrap_or_default();
    let token = issuer.token(scope, is_ada).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(Json(json!({ "token": token })))
}

impl Issuer {
    fn token(&self, scope: &str, may_push: bool) -> anyhow::Result<String> {
        let [kind, name, actions] = scope.split(':').collect::<Vec<_>>()[..] else {
            anyhow::bail!("{scope} has three parts")
        };
        let actions: Vec<_> = actions.split(',').filter(|action| may_push || *action == "pull").collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(&self.certificate)] });
        let claims = json!({
            "iss": "tests", "sub": "", "aud": "tests", "exp": now + 60, "nbf": now - 60, "iat": now, "jti": "1",
            "access": [{ "type": kind, "name": name, "actions": actions }],
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = plain(&self.key.sign(signed.as_bytes())?)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The two numbers of a signature as tokens have them, 32 bytes each; keys give them in DER: a sequence of two integers.
fn plain(der: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (mut plain, mut rest) = (Vec::new(), der.get(2..).context("a sequence")?);
    for _ in 0..2 {
        let length = usize::from(*rest.get(1).context("an integer")?);
        let number = rest.get(2..2 + length).context("its bytes")?;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        plain.resize(plain.len() + 32 - number.len(), 0);
        plain.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    Ok(plain)
}
