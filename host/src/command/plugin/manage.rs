//! What changes which version is at work, and what shows it: `promote`, `rollback`, `end`, `retire`, `show`, `history`.

use super::deploy::{ByArgs, RoleArgs, told};
use super::show::size;
use crate::command::nearby::Place;
use crate::command::{client, print, print_json, table, time};
use tidegate::admin::plugins::{AssignRequest, ChangeRequest, PluginDetail, VersionRow};
use tidegate::deploy::Deployed;
use tidegate::deployment::{Deployment, Roles};
use tidegate::plugin::Version;
use tidegate::store::versions::DriftRow;

/// Differences that are shown of those that were found.
const DRIFTS_SHOWN: usize = 10;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin promote loan-notice                          # the canary or the shadow becomes the active version
         tidegate plugin promote loan-notice --canary 25              # a larger share
         tidegate plugin promote loan-notice 3f2a --note \"as tested\"  # any version that was recorded")]
pub(crate) struct PromoteArgs {
    /// The plugin.
    plugin: String,
    /// How the version begins; else the canary, or else the shadow.
    version: Option<String>,
    #[command(flatten)]
    role: RoleArgs,
    #[command(flatten)]
    by: ByArgs,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin rollback loan-notice          # the version before, unless it was withdrawn
         tidegate plugin rollback loan-notice --to 12  # what was at work from deployment 12 on; see `plugin history`")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// The number of the deployment to restore.
    #[arg(long, value_name = "NUMBER")]
    to: Option<i64>,
}

#[derive(clap::Args)]
pub(crate) struct ChangeArgs {
    /// The plugin.
    plugin: String,
    /// Why, for the history.
    #[command(flatten)]
    by: ByArgs,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct ShowArgs {
    /// The plugin.
    plugin: String,
    /// Print JSON: one object, or for the history one per line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn promote(args: &PromoteArgs, host: &Place) -> anyhow::Result<()> {
    let (client, path) = (client(host)?, of(&args.plugin));
    let role = args.role.role()?;
    let is_named = args.version.is_some() || !matches!(role, tidegate::deploy::Role::Active);
    let deployed: Deployed = if is_named {
        let version = match &args.version {
            Some(version) => version.clone(),
            None => {
                let detail: PluginDetail = client.get(&path).await?;
                let canary = detail.roles.canary.map(|canary| canary.version).or(detail.roles.shadow);
                let none = || anyhow::anyhow!("{} has no canary and no shadow: name a version", args.plugin);
                canary.ok_or_else(none)?.as_str().to_owned()
            }
        };
        client.post(&format!("{path}/assign"), &AssignRequest { version, role, by: args.by.by() }).await?
    } else {
        client.post(&format!("{path}/promote"), &ChangeRequest { to: None, by: args.by.by() }).await?
    };
    say(&deployed, args.json)
}

pub(super) async fn rollback(args: &RollbackArgs, host: &Place) -> anyhow::Result<()> {
    let request = ChangeRequest { to: args.to, by: args.change.by.by() };
    let deployed = client(host)?.post(&format!("{}/rollback", of(&args.change.plugin)), &request).await?;
    say(&deployed, args.change.json)
}

pub(super) async fn change(args: &ChangeArgs, action: &str, host: &Place) -> anyhow::Result<()> {
    let request = ChangeRequest { to: None, by: args.by.by() };
    say(&client(host)?.post(&format!("{}/{action}", of(&args.plugin)), &request).await?, args.json)
}

pub(super) async fn show(args: &ShowArgs, host: &Place) -> anyhow::Result<()> {
    let detail: PluginDetail = client(host)?.get(&of(&args.plugin)).await?;
    if args.json {
        return print_json([&detail]);
    }
    let rows: Vec<_> = detail.versions.iter().map(|row| version_cells(row, &detail.roles)).collect();
    let headings = ["version", "role", "recorded", "by", "size", "from", "signed by", "note"];
    let mut text = format!("{}\n\n{}", detail.plugin, table::render(&headings, &rows));
    if !detail.drifts.is_empty() {
        let rows: Vec<_> = detail.drifts.iter().take(DRIFTS_SHOWN).map(drift_cells).collect();
        let headings = ["event", "asset", "version on trial", "how", "where", "active", "on trial"];
        text.push_str(&format!(
            "\nwhat differs, of the last events compared:\n{}",
            table::render(&headings, &rows)
        ));
    }
    print(&text)
}

fn drift_cells(row: &DriftRow) -> Vec<String> {
    let field = row.drift.fields.first();
    let fault = || {
        let fault = row.drift.fault.as_ref()?;
        Some(
            fault
                .own_function()
                .map_or_else(|| fault.name.clone(), |function| format!("{} in {function}", fault.name)),
        )
    };
    let value = |value: Option<&String>| value.cloned().unwrap_or_else(|| "-".to_owned());
    vec![
        row.receipt.to_string(),
        row.subject.clone(),
        row.version.short().to_owned(),
        row.drift.kind.name().to_owned(),
        fault().or_else(|| field.map(|field| field.pointer.clone())).unwrap_or_default(),
        value(field.and_then(|field| field.before.as_ref())),
        value(field.and_then(|field| field.after.as_ref())),
    ]
}

pub(super) async fn history(args: &ShowArgs, host: &Place) -> anyhow::Result<()> {
    let detail: PluginDetail = client(host)?.get(&of(&args.plugin)).await?;
    if args.json {
        return print_json(&detail.history);
    }
    let rows: Vec<_> = detail.history.iter().map(history_cells).collect();
    print(&table::render(&["number", "at", "what", "by", "at work from then on", "why"], &rows))
}

/// What is at work, in a few words.
pub(super) fn at_work(roles: &Roles) -> String {
    let mut text = roles.active.as_ref().map_or("none", Version::short).to_owned();
    if let Some(canary) = &roles.canary {
        text.push_str(&format!(", {} for {}", canary.version.short(), canary.share));
    }
    if let Some(shadow) = &roles.shadow {
        text.push_str(&format!(", {} as a shadow", shadow.short()));
    }
    text
}

pub(super) fn of(plugin: &str) -> String {
    let plugin = percent_encoding::utf8_percent_encode(plugin, percent_encoding::NON_ALPHANUMERIC);
    format!("/api/v1/plugins/of/{plugin}")
}

fn say(deployed: &Deployed, json: bool) -> anyhow::Result<()> {
    if json { print_json([deployed]) } else { print(&told(deployed)) }
}

fn version_cells(row: &VersionRow, roles: &Roles) -> Vec<String> {
    let canary = roles.canary.as_ref().filter(|canary| canary.version == row.version);
    let state = || {
        let state = serde_json::to_value(row.state).ok();
        state.and_then(|state| state.as_str().map(str::to_owned)).filter(|state| state != "usable")
    };
    let role = match canary {
        Some(canary) => format!("canary, {}", canary.share),
        None if roles.active.as_ref() == Some(&row.version) => "active".to_owned(),
        None if roles.shadow.as_ref() == Some(&row.version) => "shadow".to_owned(),
        None => state().unwrap_or_else(|| "-".to_owned()),
    };
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let bytes = usize::try_from(row.component_bytes).unwrap_or(usize::MAX);
    vec![
        row.version.short().to_owned(),
        role,
        time(row.made_at_ms),
        said(&row.provenance.who),
        size(bytes),
        said(&row.provenance.origin),
        said(&row.provenance.signed_by),
        said(&row.provenance.note),
    ]
}

fn history_cells(deployment: &Deployment) -> Vec<String> {
    vec![
        deployment.id.to_string(),
        time(deployment.at_ms),
        deployment.action.name().to_owned(),
        if deployment.who.is_empty() { "-".to_owned() } else { deployment.who.clone() },
        at_work(&deployment.roles),
        deployment.why.clone().unwrap_or_default(),
    ]
}
