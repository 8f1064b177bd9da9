//! What the documentation tells a reader to type, typed: each page from its first command to its last, in one shell.

use anyhow::{Context as _, ensure};
use std::fmt::Write as _;
use std::path::Path;
use tidegate_tests::edge::root;
use tidegate_tests::system;
use tokio::process::Command;

/// How the commands of one fence are run, as the comment before it says.
enum How<'a> {
    /// One after the other, in the page's shell.
    Here,
    /// Beside the rest, which goes on once this was printed.
    Background(&'a str),
    /// Not at all, for this reason.
    NotRun,
}

/// The shell's commands of a page, in their order.
fn fences(page: &str) -> anyhow::Result<Vec<(How<'_>, &str)>> {
    let mut fences = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("```sh\n") {
        let (commands, next) = after.split_once("```").context("a fence ends")?;
        let comment = before.trim_end().rsplit_once('\n').map_or("", |(_, last)| last);
        let said = comment.strip_prefix("<!-- ").and_then(|text| text.strip_suffix(" -->"));
        let how = match said.and_then(|said| said.split_once(": ")) {
            Some(("background", until)) => How::Background(until),
            Some(("not run", _)) => How::NotRun,
            _ => How::Here,
        };
        fences.push((how, commands));
        rest = next;
    }
    Ok(fences)
}

/// One script of a page, and how many fences are in it.
fn script(page: &str) -> anyhow::Result<(String, usize)> {
    // With `-m` what goes on in the background is a group of its own, and ends with all that it started.
    let mut script =
        "set -euom pipefail\ntrap 'for job in $(jobs -p); do kill -- -$job || true; done; wait' EXIT\n"
            .to_owned();
    let mut run = 0;
    for (how, commands) in fences(page)? {
        match how {
            How::NotRun => continue,
            How::Here => writeln!(script, "{commands}")?,
            How::Background(until) => writeln!(
                script,
                "{{\n{commands}}} > background.log 2>&1 &\nuntil grep -q '{until}' background.log; do kill -0 $! || {{ cat \
                 background.log; exit 1; }}; sleep 0.1; done"
            )?,
        }
        run += 1;
    }
    Ok((script, run))
}

async fn typed(name: &str) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(root().join("docs").join(name))?;
    let (script, run) = script(&page)?;
    ensure!(run > 0, "{name} has no command");
    let dir = tempfile::tempdir()?;
    let tidegate = system::tidegate()?;
    let programs = tidegate.parent().context("it is in a folder")?;
    let path = std::env::join_paths(
        std::iter::once(programs.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("TIDEGATE_DEV_WORKER_BUILD", root().join("worker/build"))
        .kill_on_drop(true)
        .output()
        .await?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{name}: {}\n{}\n{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_arrives_as_its_page_says() -> anyhow::Result<()> {
    typed("first-event.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_plugin_decides_as_its_page_says() -> anyhow::Result<()> {
    typed("first-plugin.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_changed_as_its_page_says() -> anyhow::Result<()> {
    typed("change.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_goes_on_as_its_page_says() -> anyhow::Result<()> {
    typed("parked.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_asked_as_its_page_says() -> anyhow::Result<()> {
    typed("api.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudflare_is_prepared_as_its_page_says() -> anyhow::Result<()> {
    typed("cloudflare.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_several_hosts_is_made_as_its_page_says() -> anyhow::Result<()> {
    typed("hosts.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_is_worked_out_as_its_page_says() -> anyhow::Result<()> {
    typed("capacity.md").await
}

/// Whoever writes a page with commands writes a test for it, or says of each why it is not run.
#[test]
fn every_page_with_commands_is_typed() -> anyhow::Result<()> {
    let tests = include_str!("docs.rs");
    for entry in std::fs::read_dir(root().join("docs"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
        if Path::new(name).extension().is_some_and(|extension| extension == "md") {
            let (_, run) = script(&std::fs::read_to_string(&path)?)?;
            ensure!(
                run == 0 || tests.contains(&format!("\"{name}\"")),
                "nobody types the commands of {name}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_book_is_made_and_no_link_of_it_leads_nowhere() -> anyhow::Result<()> {
    let (dir, tidegate) = (tempfile::tempdir()?, system::tidegate()?);
    let book = tidegate.with_file_name("tidegate-book");
    let output = Command::new(book).arg(&tidegate).arg(root().join("docs")).arg(dir.path()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = std::fs::read_to_string(dir.path().join("site/errors.html"))?;
    for trouble in tidegate::fault::Trouble::all() {
        ensure!(errors.contains(&format!("id=\"{}\"", trouble.name())), "{} has no place", trouble.name());
    }
    let capacity = std::fs::read_to_string(dir.path().join("site/capacity.html"))?;
    let steps = capacity.matches("breaks first: ").count();
    ensure!(steps >= 5 && !capacity.contains("printed: "), "{steps} rates are worked out by the code");
    Ok(())
}
