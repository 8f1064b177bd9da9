//! Plugins come from a registry: pushed by us or by another's tool, deployed by tag or digest, and by nobody who may not.

mod token;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tidegate::admin::plugins::PluginDetail;
use tidegate::deploy::Deployed;
use tidegate_envelope::Digest;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::registry::Registry;
use tidegate_tests::system::{self, Dev};
use tidegate_toolchain::tool;

/// A plugin's folder with this component of a real plugin and a manifest that says something of its own.
fn plugin(dir: &Path, name: &str, more: &str) -> anyhow::Result<PathBuf> {
    let (from, to) = (system::plugin("rust")?, dir.join(name));
    fs::create_dir(&to)?;
    fs::copy(from.join("plugin.wasm"), to.join("plugin.wasm"))?;
    fs::write(to.join("plugin.toml"), format!("name = \"loan-notice\"\nkinds = [\"asset.update\"]\n{more}"))?;
    Ok(to)
}

async fn push(cli: &Cli, plugin: &Path, to: &str) -> anyhow::Result<String> {
    let plugin = plugin.to_str().context("UTF-8")?;
    let report: serde_json::Value = cli.json(&["plugin", "push", plugin, to, "--json"]).await?;
    Ok(report["reference"].as_str().context("it says where it is")?.to_owned())
}

async fn deploy(cli: &Cli, from: &str, more: &[&str]) -> anyhow::Result<Deployed> {
    cli.json(&[&["plugin", "deploy", from, "--json", "--approve"], more].concat()).await
}

/// Where the newest version says that it comes from.
async fn newest_origin(cli: &Cli) -> anyhow::Result<String> {
    let detail: PluginDetail = cli.json(&["plugin", "show", "loan-notice", "--json"]).await?;
    detail
        .versions
        .into_iter()
        .next()
        .and_then(|row| row.provenance.origin)
        .context("it says where it is from")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_resolved_when_it_is_deployed_and_the_digest_stays_what_it_was() -> anyhow::Result<()> {
    let (dir, registry, receiver) =
        (tempfile::tempdir()?, Registry::start().await?, Receiver::start().await?);
    let dev = Dev::start(dir.path()).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let tag = registry.at("team/loan-notice:1");

    let first = push(&dev.cli, &plugin(dir.path(), "first", "hosts = [\"127.0.0.1\"]\n")?, &tag).await?;
    let again = push(&dev.cli, &dir.path().join("first"), &tag).await?;
    ensure!(first == again && first.contains("@sha256:"), "{first} and {again} are the same files");
    let setting = format!("notice_url={}", receiver.url("/first"));
    let deployed = deploy(&dev.cli, &tag, &["--set", &setting]).await?;
    ensure!(newest_origin(&dev.cli).await? == first, "{}", newest_origin(&dev.cli).await?);
    let receipt = sender.post(&loan(1)).await?;
    receiver.until_answered(&receipt.to_string(), 200).await?;
    ensure!(dev.cli.settled(receipt).await?.version == deployed.version);

    // The tag moves on; what was deployed does not, and can be had again.
    let more = "hosts = [\"127.0.0.1\"]\n[settings]\nnotice_url = \"http://127.0.0.1:9/\"\n";
    let second = push(&dev.cli, &plugin(dir.path(), "second", more)?, &tag).await?;
    ensure!(second != first, "{second} has another manifest");
    let moved = deploy(&dev.cli, &tag, &[]).await?;
    ensure!(moved.version != deployed.version && newest_origin(&dev.cli).await? == second);
    let back = deploy(&dev.cli, &first, &["--set", &setting]).await?;
    ensure!(back.version == deployed.version && back.before == moved.version, "{back:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_oras_pushes_is_deployed() -> anyhow::Result<()> {
    let (dir, registry) = (tempfile::tempdir()?, Registry::start().await?);
    let dev = Dev::start(dir.path()).await?;
    let pushed = plugin(dir.path(), "pushed", "")?;
    let oras = |target: &str, files: &str| {
        let client = "from oras.client import OrasClient as C";
        let code =
            format!("{client}\nC(insecure=True).push(target='{}/{target}', files={files})", registry.host);
        let packages = tool::find("oras")?.ancestors().nth(2).context("it is in a folder")?.to_owned();
        let mut python = Command::new("python3");
        let output = python.args(["-c", &code]).current_dir(&pushed).env("PYTHONPATH", packages).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        anyhow::Ok(())
    };

    oras("both:1", "['plugin.wasm:application/wasm', 'plugin.toml:application/toml']")?;
    let deployed = deploy(&dev.cli, &registry.at("both:1"), &[]).await?;
    ensure!(deployed.kinds == ["asset.update"], "{deployed:?}");
    let origin = newest_origin(&dev.cli).await?;
    ensure!(origin.starts_with(&registry.at("both@sha256:")), "{origin}");

    oras("alone:1", "['plugin.wasm:application/vnd.wasm.content.layer.v1+wasm']")?;
    let said = dev.cli.refusal(&["plugin", "deploy", &registry.at("alone:1")]).await?;
    ensure!(said.contains("has no plugin.toml") && said.contains("--manifest FILE"), "{said}");
    let again = deploy(&dev.cli, &registry.at("alone:1"), &["--manifest", "pushed/plugin.toml"]).await?;
    ensure!(again.version == deployed.version, "the same files are the same version");

    oras("none:1", "['plugin.toml:application/toml']")?;
    let said = dev.cli.refusal(&["plugin", "deploy", &registry.at("none:1")]).await?;
    for word in ["0 components", "plugin.toml (application/toml)", "tidegate plugin push"] {
        ensure!(said.contains(word), "`{said}` should say `{word}`");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_was_changed_is_refused_with_a_reason() -> anyhow::Result<()> {
    let (dir, registry) = (tempfile::tempdir()?, Registry::start().await?);
    let cli = Cli::new(dir.path());
    let pushed = plugin(dir.path(), "pushed", "")?;
    push(&cli, &pushed, &registry.at("a:1")).await?;
    let nowhere = system::local(system::lasting_port()?);
    for (reference, words) in [
        (registry.at("a:2"), vec!["has no 2", "was it pushed?"]),
        (registry.at("b:1"), vec!["has no 1"]),
        (registry.at("a"), vec!["does not say which version", "oci://HOST/REPOSITORY:TAG"]),
        (registry.at(&format!("a@sha256:{}", Digest::of(b"x"))), vec!["has no sha256:"]),
        (format!("oci://{nowhere}/a:1"), vec!["reach the registry at http://", &nowhere]),
    ] {
        let said = cli.refusal(&["plugin", "deploy", &reference]).await?;
        for word in words {
            ensure!(said.contains(word), "{reference}: `{said}` should say `{word}`");
        }
    }
    let said = cli
        .refusal(&["plugin", "push", "pushed", &registry.at(&format!("a@sha256:{}", Digest::of(b"x")))])
        .await?;
    ensure!(said.contains("push to a tag"), "{said}");

    let component = fs::read(pushed.join("plugin.wasm"))?;
    let digest = Digest::of(&component).to_string();
    let mut changed = component;
    *changed.last_mut().context("it has bytes")? ^= 1;
    fs::write(registry.file(&digest)?, &changed)?;
    let said = cli.refusal(&["plugin", "deploy", &registry.at("a:1")]).await?;
    for word in ["plugin.wasm", &digest, &Digest::of(&changed).to_string(), "damaged"] {
        ensure!(said.contains(word), "`{said}` should say `{word}`");
    }
    Ok(())
}

/// `horse-battery`, as htpasswd writes it for `ada`.
const HTPASSWD: &str = "ada:$2b$05$vNfXaAGhT85bkKh0092tVuKAwIfLUWv3q/gDhOhQHY7BjjyZG7bp.\n";

fn with_passwords(dir: &Path) -> anyhow::Result<String> {
    let file = dir.join("htpasswd");
    fs::write(&file, HTPASSWD)?;
    Ok(format!("auth: {{htpasswd: {{realm: tests, path: {}}}}}", file.display()))
}

/// A directory with this as its Docker configuration.
fn docker(dir: &Path, name: &str, config: &serde_json::Value) -> anyhow::Result<String> {
    let dir = dir.join(name);
    fs::create_dir(&dir)?;
    fs::write(dir.join("config.json"), config.to_string())?;
    Ok(dir.to_str().context("UTF-8")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_one_is_to_a_registry_is_what_docker_login_wrote() -> anyhow::Result<()> {
    let (dir, registry) = (tempfile::tempdir()?, Registry::start_with(with_passwords).await?);
    let cli = Cli::new(dir.path());
    plugin(dir.path(), "pushed", "")?;
    let to = registry.at("a:1");
    let auth = |password: &str| STANDARD.encode(format!("ada:{password}"));
    let host = &registry.host;
    let file = |password| serde_json::json!({ "auths": { host: { "auth": auth(password) } } });

    for (name, config, words) in [
        ("nobody", serde_json::json!({}), vec!["docker login", host]),
        ("wrong", file("horse"), vec!["401", "docker login", host]),
    ] {
        let cli = cli.clone().with("DOCKER_CONFIG", &docker(dir.path(), name, &config)?);
        let said = cli.refusal(&["plugin", "push", "pushed", &to]).await?;
        for word in words {
            ensure!(said.contains(word), "{name}: `{said}` should say `{word}`");
        }
        ensure!(!said.contains(&auth("horse")), "{said} has a password");
    }
    let known = docker(dir.path(), "known", &file("horse-battery"))?;
    push(&cli.clone().with("DOCKER_CONFIG", &known), &dir.path().join("pushed"), &to).await?;

    // A credential helper: a program of that name, asked on its standard input.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin)?;
    let helper = bin.join("docker-credential-tests");
    let answer = r#"{"ServerURL":"x","Username":"ada","Secret":"horse-battery"}"#;
    fs::write(&helper, format!("#!/bin/sh\n[ \"$1 $(cat)\" = 'get {host}' ] && echo '{answer}'\n"))?;
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
    let helped = docker(dir.path(), "helped", &serde_json::json!({ "credHelpers": { host: "tests" } }))?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH")?);
    push(&cli.with("DOCKER_CONFIG", &helped).with("PATH", &path), &dir.path().join("pushed"), &to).await?;
    Ok(())
}
