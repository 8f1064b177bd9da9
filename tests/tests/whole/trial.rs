//! Versions on trial, with the built `tidegate`: a canary that does badly goes back by itself and says why, one that does
//! well becomes the active version, a shadow is compared without effect, an active version that fails gives way.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tidegate::admin::plugins::PluginDetail;
use tidegate::deployment::{Action, Share};
use tidegate::plugin::PluginName;
use tidegate::store::stats::Stats;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::{Dev, actor, until};

struct Stage {
    dir: tempfile::TempDir,
    dev: Dev,
    sender: Sender,
}

impl Stage {
    /// With these of the operator's rules, and a version at work that takes a note of each event.
    async fn set(rules: &[(&str, &str)]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let dev = Dev::start_with(dir.path(), rules).await?;
        let sender = Sender::new(dev.ready("request_url"))?;
        let stage = Self { dir, dev, sender };
        stage.deploy("note fine", &[]).await?;
        Ok(stage)
    }

    /// A version that does this about each event.
    async fn deploy(&self, steps: &str, args: &[&str]) -> anyhow::Result<String> {
        let dir = actor(self.dir.path(), &format!("[settings]\ndo = \"{steps}\"\n"))?;
        let dir = dir.to_string_lossy().into_owned();
        self.dev.cli.output(&[&["plugin", "deploy", dir.as_str()], args].concat()).await
    }

    async fn post(&self, assets: impl Iterator<Item = u32>, second: u32) -> anyhow::Result<()> {
        for asset in assets {
            let updated_at = format!("2026-01-01 00:00:{second:02}.000001");
            let event = json!({ "event_type": "asset.update", "id": asset, "updated_at": updated_at });
            self.sender.post(&event).await?;
        }
        Ok(())
    }

    async fn detail(&self) -> anyhow::Result<PluginDetail> {
        self.dev.cli.json(&["plugin", "show", "actor", "--json"]).await
    }

    /// Waits until the last change was this.
    async fn until_last(&self, action: Action) -> anyhow::Result<PluginDetail> {
        until(action.name(), async || {
            let detail = self.detail().await?;
            Ok(Some(detail).filter(|detail| detail.history.first().is_some_and(|it| it.action == action)))
        })
        .await
    }

    async fn until_stats(&self, what: &str, is_so: impl Fn(&Stats) -> bool) -> anyhow::Result<Stats> {
        until(what, async || Ok(Some(self.dev.cli.json::<Stats>(&["stats", "--json"]).await?).filter(&is_so)))
            .await
    }
}

/// The assets of the share, or those beside it.
fn assets(share: &str, is_in: bool) -> anyhow::Result<impl Iterator<Item = u32>> {
    let (share, plugin): (Share, _) = (share.parse()?, PluginName::new("actor")?);
    Ok((1..=1_000)
        .filter(move |asset: &u32| share.covers(&plugin, "amj", asset.to_string().as_bytes()) == is_in))
}

#[tokio::test]
async fn a_canary_that_traps_on_one_asset_in_fifty_goes_back_by_itself_and_nothing_is_lost()
-> anyhow::Result<()> {
    let stage = Stage::set(&[("TIDEGATE_ROLLOUT_CANARY_STEP_MS", "600000")]).await?;
    let said = stage.deploy("trap-each 50; note fine", &["--canary", "30", "--steps", "100"]).await?;
    ensure!(said.contains("30% of the assets, then 100%"), "{said}");
    let bad: Vec<_> = assets("30", true)?.filter(|asset| asset % 50 == 0).take(3).collect();
    let good: Vec<_> = assets("30", true)?.filter(|asset| asset % 50 != 0).take(57).collect();
    let others: Vec<_> = assets("30", false)?.take(60).collect();
    ensure!(bad.len() == 3 && good.len() == 57 && others.len() == 60, "{bad:?}");
    stage.post(good.into_iter().chain(others).chain(bad.iter().copied()), 1).await?;

    let detail = stage.until_last(Action::Withdraw).await?;
    let last = detail.history.first().context("there is one")?;
    let why = last.why.clone().context("it says why")?;
    ensure!(last.who == "tidegate" && last.roles.canary.is_none() && last.roles.active.is_some(), "{last:?}");
    for word in ["3 faults in", &format!("asset {}: trap: ", bad[0]), "actor::"] {
        ensure!(why.contains(word), "`{why}` should say `{word}`");
    }
    // All that came is decided but the three, which wait for a mended version; one command has them decided.
    stage
        .until_stats("all is decided", |stats| {
            stats.incoming == 120 && stats.done == 117 && stats.parked == 3
        })
        .await?;
    let alerts = stage.dev.cli.output(&["source", "alerts", "--json"]).await?;
    ensure!(alerts.contains("plugin.version_withdrawn") && alerts.contains("actor"), "{alerts}");
    stage.dev.cli.output(&["parked", "redrive", "--plugin", "actor", "--yes"]).await?;
    stage.until_stats("the rest is decided", |stats| stats.done == 120 && stats.parked == 0).await?;
    Ok(())
}

#[tokio::test]
async fn a_canary_that_does_well_is_raised_and_becomes_the_active_version() -> anyhow::Result<()> {
    let rules = [("TIDEGATE_ROLLOUT_CANARY_STEP_MS", "100"), ("TIDEGATE_ROLLOUT_CANARY_ASKS_MIN", "10")];
    let stage = Stage::set(&rules).await?;
    stage.deploy("note better", &["--canary", "20", "--steps", "60,100"]).await?;
    stage.post(assets("20", true)?.take(15), 1).await?;
    let raised = until("the canary is raised", async || {
        let detail = stage.detail().await?;
        let canary = detail.roles.canary.as_ref().map(|canary| canary.share.to_string());
        Ok(Some(detail.history.clone()).filter(|_| canary.as_deref() == Some("60%")))
    });
    let raised = raised.await?.first().cloned().context("there is one")?;
    ensure!(raised.why.as_deref() == Some("did well at 20%"), "{raised:?}");
    stage.post(assets("60", true)?.take(15), 2).await?;
    let detail = stage.until_last(Action::Promote).await?;
    let steps: Vec<_> = detail.history.iter().map(|it| it.action).collect();
    ensure!(steps == [Action::Promote, Action::Canary, Action::Canary, Action::Deploy], "{steps:?}");
    // What differed was noted event by event, with the field.
    let drift =
        until("a difference is recorded", async || Ok(stage.detail().await?.drifts.first().cloned())).await?;
    let field = drift.drift.fields.first().context("it names a field")?;
    ensure!(
        field.pointer == "/decisions/0/note" && field.after.as_deref() == Some("\"better\""),
        "{field:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_shadow_is_compared_and_nothing_comes_of_it() -> anyhow::Result<()> {
    // It is promoted in the end, though it faults.
    let stage = Stage::set(&[("TIDEGATE_GATE_FAULTS_MAX", "2")]).await?;
    stage.deploy("trap-each 7; note fine", &["--shadow"]).await?;
    stage.post(1..=20, 1).await?;
    let drifts = until("two differences are recorded", async || {
        Ok(Some(stage.detail().await?.drifts).filter(|drifts| drifts.len() >= 2))
    });
    let mut subjects: Vec<_> = drifts.await?.into_iter().map(|row| row.subject).collect();
    subjects.sort();
    ensure!(subjects == ["14", "7"], "{subjects:?}");
    stage.until_stats("all is decided", |stats| stats.done == 20 && stats.parked == 0).await?;
    let shown = stage.dev.cli.output(&["plugin", "show", "actor"]).await?;
    ensure!(shown.contains("shadow") && shown.contains("new-fault"), "{shown}");
    let usage = stage.dev.cli.output(&["plugin", "usage"]).await?;
    ensure!(usage.contains("2 of 20"), "{usage}");
    stage.dev.cli.output(&["plugin", "promote", "actor", "--note", "known"]).await?;
    ensure!(stage.detail().await?.roles.shadow.is_none(), "it is the active one now");
    Ok(())
}

#[tokio::test]
async fn a_version_that_fails_half_the_time_gives_way_to_the_last_good_one() -> anyhow::Result<()> {
    let rules = [("TIDEGATE_ROLLOUT_ASKS_MIN", "10"), ("TIDEGATE_GATE_FAULTS_MAX", "20")];
    let stage = Stage::set(&rules).await?;
    let good = stage.detail().await?.roles.active;
    stage.deploy("trap-each 2; note fine", &[]).await?;
    stage.post(1..=20, 1).await?;
    let detail = stage.until_last(Action::Withdraw).await?;
    ensure!(detail.roles.active == good, "{:?}", detail.roles);
    stage.dev.cli.output(&["parked", "redrive", "--plugin", "actor", "--yes"]).await?;
    stage.until_stats("all is decided", |stats| stats.done == 20 && stats.parked == 0).await?;
    // A person's word is final: the same version again, by hand, and the history says who did what.
    let bad = detail.versions.first().context("it has versions")?.version.clone();
    stage.dev.cli.output(&["plugin", "promote", "actor", bad.short(), "--note", "try again"]).await?;
    let history = stage.dev.cli.output(&["plugin", "history", "actor"]).await?;
    for word in ["withdraw", "the breaker's limit is 50%", "try again"] {
        ensure!(history.contains(word), "{word}: {history}");
    }
    let back = stage.dev.cli.output(&["plugin", "rollback", "actor"]).await?;
    ensure!(back.contains(good.context("there was one")?.short()), "{back}");
    Ok(())
}
