//! The admin API as whoever has a token meets it: what each role may, what nobody may, and whatever its own description allows.

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use tidegate::access::Role;
use tidegate::admin::overview::Overview;
use tidegate::admin::sources::SourceTested;
use tidegate::admin::tokens::{MadeToken, Me, TokenRow};
use tidegate::store::EventRow;
use tidegate::store::access::AuditRow;
use tidegate::store::flow::EffectsPage;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{self, Dev, until};
use tidegate_toolchain::tool;
use tokio::process::Command;

/// Speaks to a host's API with one token, or none.
struct Api {
    url: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Api {
    fn new(dev: &Dev, token: Option<&str>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { url: dev.ready("admin_url").to_owned(), token: token.map(str::to_owned), http })
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, bytes) = (response.status(), response.bytes().await?);
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.ask(Method::GET, path, None).await?;
        ensure!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_value(body).with_context(|| format!("read {path}"))
    }
}

async fn token(cli: &Cli, name: &str, role: Role) -> anyhow::Result<String> {
    let made: MadeToken = cli.json(&["token", "new", name, "--role", role.word(), "--json"]).await?;
    Ok(made.token)
}

/// A running system with an event that was decided, an effect of it, and one that is parked.
async fn system(dir: &Path, receiver: &Receiver) -> anyhow::Result<(Dev, EventRow)> {
    let dev = Dev::start_with(dir, &[("TIDEGATE_ADMIN_REQUESTS_PER_SECOND", "100000")]).await?;
    dev.cli.deploy(&system::plugin("rust")?, &format!("{}?key=s3cret", receiver.url("/notices"))).await?;
    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(675)).await?;
    let event = until("it is done", || async {
        let event = dev.cli.event(receipt).await?;
        Ok(event.performed_at_ms.is_some().then_some(event))
    });
    let event = event.await?;
    Ok((dev, event))
}

/// Every operation that is published: its method, its path, and the role that it takes.
fn operations() -> anyhow::Result<Vec<(Method, String, Role)>> {
    let text = std::fs::read_to_string(root().join("docs/openapi.json"))?;
    let description: Value = serde_json::from_str(&text)?;
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().context("it has paths")? {
        for (method, operation) in item.as_object().context("a path has operations")? {
            let role = operation["x-role"].as_str().map_or(Some(Role::Read), Role::named);
            operations.push((method.to_uppercase().parse()?, path.clone(), role.context("a role")?));
        }
    }
    Ok(operations)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_what_is_served() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let printed = Cli::new(dir.path()).output(&["openapi"]).await?;
    let published = std::fs::read_to_string(root().join("docs/openapi.json"))?;
    ensure!(printed == published, "docs/openapi.json is old; type: tidegate openapi > docs/openapi.json");
    let changes_without_a_role =
        |(method, _, role): &&(Method, String, Role)| method != Method::GET && *role == Role::Read;
    let open: Vec<_> = operations()?.into_iter().collect();
    ensure!(
        open.iter().find(changes_without_a_role).is_none(),
        "whoever may read may change something: {open:?}"
    );
    let ids = published.matches("\"operationId\"").count();
    ensure!(ids == open.len() && ids > 25, "{ids} of {} operations have a name", open.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anything_without_a_token_or_with_too_small_a_role() -> anyhow::Result<()> {
    let (dir, receiver) = (tempfile::tempdir()?, Receiver::start().await?);
    let (dev, event) = system(dir.path(), &receiver).await?;
    let tokens = [Role::Read, Role::Operate, Role::Admin];
    let mut callers = Vec::new();
    for role in tokens {
        callers.push((role, Api::new(&dev, Some(&token(&dev.cli, role.word(), role).await?))?));
    }
    let strangers = [Api::new(&dev, None)?, Api::new(&dev, Some("guessed"))?];
    for (method, path, role) in operations()? {
        let path = path
            .replace("{receipt}", &event.receipt.to_string())
            .replace("{plugin}", "loan-notice")
            .replace("{id}", "stray/1")
            .replace("{action}", "end")
            .replace("{source}", "amj")
            .replace("{name}", "nobody");
        for stranger in &strangers {
            let (status, body) = stranger.ask(method.clone(), &path, None).await?;
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            ensure!(refused && body["error"].is_string(), "{method} {path} without a token: {status} {body}");
        }
        if path == "/api/v1/stream" {
            continue;
        }
        for (has, caller) in &callers {
            // An empty body: whoever may ask gets as far as being told that it is wrong.
            let body = (method == Method::POST).then(|| json!({ "nonsense": 1 }));
            let (status, answer) = caller.ask(method.clone(), &path, body).await?;
            ensure!(
                (status == StatusCode::FORBIDDEN) == (*has < role),
                "{method} {path} takes {role:?}, and {has:?} got {status} {answer}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_wrote_is_for_operators_and_the_look_at_it_is_written_down() -> anyhow::Result<()> {
    let (dir, receiver) = (tempfile::tempdir()?, Receiver::start().await?);
    let (dev, event) = system(dir.path(), &receiver).await?;
    let reader = Api::new(&dev, Some(&token(&dev.cli, "screen", Role::Read).await?))?;
    let operator = Api::new(&dev, Some(&token(&dev.cli, "ann", Role::Operate).await?))?;
    let path = format!("/api/v1/events/{}", event.receipt);

    let shown = operator.ask(Method::GET, &format!("{path}?payload=true"), None).await?.1.to_string();
    ensure!(shown.contains("John Do") && shown.contains("s3cret"), "{shown}");
    for path in [
        path.as_str(),
        "/api/v1/events",
        "/api/v1/effects",
        "/api/v1/parked",
        "/api/v1/plugins/of/loan-notice",
    ] {
        let (status, seen) = reader.ask(Method::GET, path, None).await?;
        let seen = seen.to_string();
        ensure!(status.is_success() && !seen.contains("John") && !seen.contains("s3cret"), "{path}: {seen}");
    }
    for path in [
        format!("{path}?payload=true"),
        "/api/v1/events?text=John".into(),
        "/api/v1/events?payload=true".into(),
    ] {
        let (status, seen) = reader.ask(Method::GET, &path, None).await?;
        ensure!(status == StatusCode::FORBIDDEN, "{path}: {status} {seen}");
    }
    let effects: EffectsPage = reader.get("/api/v1/effects?state=done").await?;
    ensure!(effects.effects.len() == 1 && effects.is_end, "{effects:?}");

    let audit: Vec<AuditRow> = dev.cli.rows(&["audit", "--json"]).await?;
    let text = serde_json::to_string(&audit)?;
    let saw = format!("the payload of {}", event.receipt);
    ensure!(
        audit.iter().any(|row| row.record["who"] == "ann" && row.record["saw"] == saw.as_str()),
        "{text}"
    );
    ensure!(audit.iter().any(|row| row.record["did"] == "POST /api/v1/tokens"), "{text}");
    ensure!(!text.contains("John") && !text.contains("s3cret"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_takes_over_from_another_survives_a_restart_and_is_taken_away() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let old = token(&dev.cli, "ann", Role::Operate).await?;
    let remote = |dev: &Dev, token: &str| {
        let url = dev.ready("admin_url").to_owned();
        Cli::elsewhere(dir.path(), dir.path()).with("TIDEGATE_HOST", &url).with("TIDEGATE_ADMIN_TOKEN", token)
    };
    let mut stored = system::stored(dir.path())?.into_iter();
    ensure!(
        !stored.any(|stored| stored.windows(old.len()).any(|bytes| bytes == old.as_bytes())),
        "the token itself is in the store"
    );
    remote(&dev, &old).output(&["stats"]).await?;
    let made: MadeToken = dev.cli.json(&["token", "rotate", "ann", "--overlap", "1h", "--json"]).await?;
    dev.process.kill().await?;

    let dev = Dev::start(dir.path()).await?;
    for token in [&old, &made.token] {
        let me: Me = Api::new(&dev, Some(token))?.get("/api/v1/me").await?;
        ensure!((me.name.as_str(), me.role) == ("ann", Role::Operate), "{me:?}");
    }
    let rows: Vec<TokenRow> = dev.cli.rows(&["token", "list", "--json"]).await?;
    ensure!(rows.len() == 1 && rows[0].used_at_ms.is_some() && rows[0].before_until_ms.is_some(), "{rows:?}");
    dev.cli.output(&["token", "rotate", "ann", "--overlap", "0s"]).await?;
    for token in [&old, &made.token] {
        let said = remote(&dev, token).refusal(&["stats"]).await?;
        ensure!(said.contains("token"), "{said}");
    }
    dev.cli.output(&["token", "revoke", "ann"]).await?;
    let said = dev.cli.refusal(&["token", "revoke", "ann"]).await?;
    ensure!(said.contains("there is no token `ann`"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_tried_at_the_edge_and_nowhere_else() -> anyhow::Result<()> {
    let (dir, receiver) = (tempfile::tempdir()?, Receiver::start().await?);
    let (dev, _) = system(dir.path(), &receiver).await?;
    let (known, edge) = (dev.ready("request_url").to_owned(), dev.ready("edge_url").to_owned());
    let source = known.rsplit('/').nth(1).context("a source")?;
    let api = Api::new(&dev, Some(dev.ready("admin_token")))?;
    let test = async |source: &str, body: Value| {
        api.ask(Method::POST, &format!("/api/v1/sources/{source}/test"), Some(body)).await
    };
    for body in [json!({}), json!({ "url": known })] {
        let (status, tested) = test(source, body).await?;
        ensure!(status == StatusCode::OK, "{status} {tested}");
        let tested: SourceTested = serde_json::from_value(tested)?;
        dev.cli.settled(tested.receipt).await?;
    }
    let elsewhere = receiver.url(&format!("/in/{source}/token"));
    let refused = [
        (source, json!({ "url": elsewhere }), 422, "not at the edge"),
        (source, json!({ "url": "no url" }), 422, "is no URL"),
        (source, json!({ "url": format!("{edge}/healthz") }), 422, "its path has"),
        ("other", json!({}), 422, "does not know where other takes events"),
        (source, json!({ "url": format!("{edge}/in/{source}/guessed") }), 502, "404"),
        (source, json!({ "link": known }), 422, "unknown field `link`"),
    ];
    for (source, body, expected, why) in refused {
        let (status, answer) = test(source, body.clone()).await?;
        ensure!(status == expected && answer.to_string().contains(why), "{body}: {status} {answer}");
    }
    ensure!(receiver.notices().iter().all(|it| !it.path.starts_with("/in/")), "posted elsewhere");
    let audit: Vec<AuditRow> = api.get("/api/v1/audit?before=0").await?;
    let audit = serde_json::to_string(&audit)?;
    let token = known.rsplit('/').next().context("a token")?;
    ensure!(audit.contains(&format!("/sources/{source}/test")) && !audit.contains(token), "{audit}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn from_elsewhere_it_is_asked_over_tls_and_here_without_a_name() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(["host.example".to_owned(), "localhost".to_owned()])?;
    let (certificate, key) = (dir.path().join("host.crt"), dir.path().join("host.key"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap_or_default());
    let listen = system::local(free);
    let env = [
        ("TIDEGATE_ADMIN_LISTEN", listen.as_str()),
        ("TIDEGATE_ADMIN_CERTIFICATE_FILE", certificate),
        ("TIDEGATE_ADMIN_KEY_FILE", key),
    ];
    let dev = Dev::start_with(dir.path(), &env).await?;
    let token = token(&dev.cli, "ann", Role::Read).await?;
    let elsewhere = |url: &str| {
        Cli::elsewhere(dir.path(), dir.path()).with("TIDEGATE_HOST", url).with("TIDEGATE_ADMIN_TOKEN", &token)
    };
    let url = format!("https://localhost:{free}");
    elsewhere(&url).with("TIDEGATE_HOST_CA", certificate).output(&["stats"]).await?;
    elsewhere(&url).refusal(&["stats"]).await.context("a stranger's certificate is not trusted")?;
    let said = elsewhere(&format!("http://host.example:{free}")).refusal(&["stats"]).await?;
    ensure!(said.contains("https"), "a token does not travel in the clear: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_what_is_recorded_and_goes_on_where_it_was() -> anyhow::Result<()> {
    let (dir, receiver) = (tempfile::tempdir()?, Receiver::start().await?);
    let (dev, first) = system(dir.path(), &receiver).await?;
    let api = Api::new(&dev, Some(dev.ready("admin_token")))?;
    let mut stream = follow(&api, "").await?;
    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(676)).await?;
    let told = next(&mut stream, "recorded").await?;
    ensure!(told["receipt"] == receipt.to_string().as_str() && told.get("payload").is_none(), "{told}");
    let glance = next(&mut stream, "overview").await?;
    ensure!(glance["stats"]["incoming"].as_u64() >= Some(1), "{glance}");
    dev.cli.output(&["plugin", "retire", "loan-notice"]).await?;
    while next(&mut stream, "changed").await?["what"] != "plugins" {}
    // From the first event on, as whoever was away would ask.
    let mut again = follow(&api, &format!("?after={}", first.cursor - 1)).await?;
    let told = [next(&mut again, "recorded").await?, next(&mut again, "recorded").await?];
    let receipts: Vec<_> = told.iter().filter_map(|event| event["receipt"].as_str()).collect();
    ensure!(receipts == [first.receipt.to_string(), receipt.to_string()], "{receipts:?}");

    let mut calm = follow(&api, "?events=false&after=0").await?;
    while calm.text.matches("event: overview").count() < 2 {
        let chunk = calm.response.chunk().await?.context("the stream goes on")?;
        calm.text.push_str(std::str::from_utf8(&chunk)?);
    }
    ensure!(!calm.text.contains("event: recorded"), "{}", calm.text);
    for unknown in ["?text=loan", "?payload=true", "?before=0", "?class=nonsense"] {
        let (status, _) = api.ask(Method::GET, &format!("/api/v1/stream{unknown}"), None).await?;
        ensure!(status == StatusCode::UNPROCESSABLE_ENTITY, "{unknown}: {status}");
    }

    let overview: Overview = api.get("/api/v1/overview").await?;
    ensure!(overview.stats.incoming == 2 && overview.started_ms > 0, "{:?}", overview.stats);
    Ok(())
}

/// The text of a stream that is not read yet.
struct Following {
    response: reqwest::Response,
    text: String,
}

async fn follow(api: &Api, query: &str) -> anyhow::Result<Following> {
    let token = api.token.as_deref().unwrap_or_default();
    let request = api.http.get(format!("{}/api/v1/stream{query}", api.url)).bearer_auth(token);
    Ok(Following { response: request.send().await?.error_for_status()?, text: String::new() })
}

/// The data of the next message of this kind.
async fn next(stream: &mut Following, kind: &str) -> anyhow::Result<Value> {
    loop {
        while let Some((message, rest)) = stream.text.split_once("\n\n") {
            let (message, rest) = (message.to_owned(), rest.to_owned());
            stream.text = rest;
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if field("event:") == Some(kind) {
                return serde_json::from_str(field("data:").context("it has data")?)
                    .context("read a message");
            }
        }
        let chunk = tokio::time::timeout(system::PATIENCE, stream.response.chunk())
            .await
            .context("wait for a message")?;
        stream.text.push_str(std::str::from_utf8(&chunk?.context("the stream goes on")?)?);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_description_allows_is_answered_and_nothing_breaks() -> anyhow::Result<()> {
    let (dir, receiver) = (tempfile::tempdir()?, Receiver::start().await?);
    let (dev, _) = system(dir.path(), &receiver).await?;
    let program = tool::find("schemathesis")?;
    let packages = program.parent().and_then(Path::parent).context("it stands in bin")?;
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .current_dir(dir.path())
        .arg(&program)
        .arg("run")
        .arg(root().join("docs/openapi.json"))
        .args(["--url", dev.ready("admin_url"), "--header"])
        .arg(format!("Authorization: Bearer {}", dev.ready("admin_token")))
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"])
        // The stream has no end.
        .args(["--exclude-path", "/api/v1/stream", "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--seed", "7", "--no-color", "--generation-deterministic"])
        .output()
        .await
        .context("start schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // And it is still there.
    dev.cli.output(&["stats"]).await?;
    Ok(())
}
