//! What a host lets in: signed by a key that its operator trusts, pinned by its digest. Keys and signatures are minisign's.

use anyhow::{Context as _, ensure};
use minisign::KeyPair;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use tidegate::admin::plugins::PluginDetail;
use tidegate_envelope::Digest;
use tidegate_tests::system::registry::Registry;
use tidegate_tests::system::{self, Dev};

const MANIFEST: &str = "name = \"loan-notice\"\nkinds = [\"asset.update\"]\n";

/// A plugin's folder, signed or not.
fn plugin(dir: &Path, name: &str, manifest: &str, signature: Option<&str>) -> anyhow::Result<PathBuf> {
    let dir = dir.join(name);
    fs::create_dir(&dir)?;
    fs::write(dir.join("plugin.wasm"), component()?)?;
    fs::write(dir.join("plugin.toml"), manifest)?;
    if let Some(signature) = signature {
        fs::write(dir.join("plugin.wasm.minisig"), signature)?;
    }
    Ok(dir)
}

fn component() -> anyhow::Result<Vec<u8>> {
    fs::read(system::plugin("rust")?.join("plugin.wasm")).context("read a component")
}

fn sign(pair: &KeyPair, component: &[u8], comment: &str) -> anyhow::Result<String> {
    Ok(minisign::sign(None, &pair.sk, Cursor::new(component), Some(comment), None)?.into_string())
}

fn manifest_word(manifest: &str) -> String {
    format!("plugin.toml=sha256:{}", Digest::of(manifest.as_bytes()))
}

/// The number of a key, from the comment that minisign writes above it.
fn key_id(pair: &KeyPair) -> anyhow::Result<String> {
    let text = pair.pk.to_box()?.to_string();
    let comment = text.lines().next().context("it has a comment")?;
    Ok(comment.split_whitespace().last().context("which ends with the number")?.to_owned())
}

async fn refused(dev: &Dev, args: &[&str], words: &[&str]) -> anyhow::Result<()> {
    let said = dev.cli.refusal(&[&["plugin", "deploy"], args].concat()).await?;
    ensure!(said.starts_with("error: "), "{said}");
    for word in words {
        ensure!(said.contains(word), "{args:?}: `{said}` should say `{word}`");
    }
    ensure!(dev.cli.plugins().await?.is_empty(), "{args:?} put something to work");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_required_nothing_comes_in_without_a_right_one() -> anyhow::Result<()> {
    let (dir, component) = (tempfile::tempdir()?, component()?);
    let (pair, stranger) =
        (KeyPair::generate_unencrypted_keypair()?, KeyPair::generate_unencrypted_keypair()?);
    let (id, keys) = (key_id(&pair)?, format!("[\"{}\"]", pair.pk.to_base64()));
    let env =
        [("TIDEGATE_PLUGINS_TRUSTED_KEYS", keys.as_str()), ("TIDEGATE_PLUGINS_SIGNATURES_REQUIRED", "true")];
    let dev = Dev::start_with(dir.path(), &env).await?;

    let (word, more) = (manifest_word(MANIFEST), format!("{MANIFEST}hosts = [\"evil.example\"]\n"));
    let good = sign(&pair, &component, &word)?;
    let by_stranger = sign(&stranger, &component, &word)?;
    let of_other = sign(&pair, b"another component", &word)?;
    let of_one = sign(&pair, &component, "timestamp:1")?;
    for (name, manifest, signature, words) in [
        ("unsigned", MANIFEST, None, vec!["it is not signed", "plugins.signatures_required", &id, &word]),
        ("unknown", MANIFEST, Some(&by_stranger), vec!["which is not one of the trusted ones", &id]),
        ("tampered", MANIFEST, Some(&of_other), vec!["the component is not the one that key", &id]),
        ("half", MANIFEST, Some(&of_one), vec!["does not say which plugin.toml", &word]),
        ("more", &more, Some(&good), vec!["plugin.toml is not the one that key", &id]),
    ] {
        plugin(dir.path(), name, manifest, signature.map(String::as_str))?;
        refused(&dev, &[name], &words).await?;
    }
    plugin(dir.path(), "good", MANIFEST, Some(&good))?;
    refused(&dev, &["good", "--host", "evil.example"], &["--host adds to what the signed plugin.toml"])
        .await?;

    // Settings are the operator's; and the signature travels through a registry.
    dev.cli.output(&["plugin", "deploy", "good", "--set", "notice_url=http://127.0.0.1:9/"]).await?;
    let registry = Registry::start().await?;
    let reference = registry.at("signed:1");
    dev.cli.output(&["plugin", "push", "good", &reference]).await?;
    dev.cli.output(&["plugin", "deploy", &reference]).await?;
    let detail: PluginDetail = dev.cli.json(&["plugin", "show", "loan-notice", "--json"]).await?;
    ensure!(detail.versions.len() == 2, "{:?}", detail.versions);
    for version in &detail.versions {
        ensure!(version.provenance.signed_by.as_deref() == Some(&id), "{version:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pinned_components_come_in() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (digest, other) = (Digest::of(&component()?).to_string(), Digest::of(b"another").to_string());
    plugin(dir.path(), "good", MANIFEST, None)?;
    let pins = format!("[\"{other}\"]");
    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_PLUGINS_DIGESTS", &pins)]).await?;
    refused(&dev, &["good"], &[&digest, "not among those pinned", "plugins.digests"]).await?;
    dev.process.kill().await?;
    let pins = format!("[\"{other}\", \"sha256:{digest}\"]");
    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_PLUGINS_DIGESTS", &pins)]).await?;
    dev.cli.output(&["plugin", "deploy", "good"]).await?;
    Ok(())
}
