//! `tidegate plugin deploy`: hands a version to the running host.

use super::origin::{OriginArgs, OverArgs};
use crate::command::nearby::Place;
use std::io::IsTerminal as _;
use std::time::Duration;
use tidegate::deploy::{By, Deployed, Role};
use tidegate::deployment::{Action, Share};
use tidegate::plugin::Version;
use tidegate::rights;

/// How long nothing is said while the host works.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin deploy
         tidegate plugin deploy plugins/rust --set notice_url=http://127.0.0.1:9000/notices
         tidegate plugin deploy oci://registry.example/you/loan-notice:1.2.0
         tidegate plugin deploy --canary 5 --steps 25,100   # five assets in a hundred, then more by itself
         tidegate plugin deploy --shadow                    # compared with the active version, without effect

Without --data it is the host that works in .tidegate here, or else the `tidegate dev` that was started last, from whatever
directory. What is in an OCI registry is fetched here: a tag is resolved to a digest, which `plugin show` then has; who you are to
it is what `docker login` has written. plugin.wasm.minisig beside the component (or pushed with it) is sent along: the host checks
it, as its tidegate.toml says.")]
pub(crate) struct Args {
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    over: OverArgs,
    #[command(flatten)]
    role: RoleArgs,
    #[command(flatten)]
    by: ByArgs,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a version is to do.
#[derive(clap::Args)]
pub(super) struct RoleArgs {
    /// Let it decide for this percentage of the assets, in the active version's place: 5, 0.5.
    #[arg(long, value_name = "PERCENT", conflicts_with = "shadow")]
    canary: Option<Share>,
    /// Percentages that the canary is raised to by itself while it does well; 100, if it is the last, makes it the active
    /// version.
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',', requires = "canary")]
    steps: Vec<Share>,
    /// Ask it about what the active version decides and record what differs; nothing comes of it.
    #[arg(long)]
    shadow: bool,
}

impl RoleArgs {
    pub(super) fn role(&self) -> anyhow::Result<Role> {
        let Some(share) = self.canary else {
            return Ok(if self.shadow { Role::Shadow } else { Role::Active });
        };
        let all = std::iter::once(&share).chain(&self.steps);
        anyhow::ensure!(
            all.is_sorted_by(|a, b| a < b),
            "--steps: each percentage is larger than the one before"
        );
        Ok(Role::Canary { share, steps: self.steps.clone() })
    }
}

/// Who changes something, and why.
#[derive(clap::Args)]
pub(super) struct ByArgs {
    /// Approve what the version asks for beyond the active one: hosts, secrets, kinds, limits.
    #[arg(long)]
    approve: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl ByArgs {
    pub(super) fn by(&self) -> By {
        By { why: self.note.clone(), approve: self.approve, ..operator() }
    }
}

/// Whoever types this.
pub(super) fn operator() -> By {
    let who = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    By { who: who.unwrap_or_default(), ..By::default() }
}

pub(super) async fn run(args: Args, host: &Place) -> anyhow::Result<()> {
    let brought = args.origin.read().await?;
    let request = brought.request(&args.over, args.role.role()?, args.by.by())?;
    let client = crate::command::client(host)?;
    let deploying = client.post("/api/v1/plugins", &request);
    tokio::pin!(deploying);
    let deployed: Deployed = tokio::select! {
        deployed = &mut deploying => deployed?,
        () = tokio::time::sleep(PATIENCE) => {
            if std::io::stderr().is_terminal() {
                eprintln!("the host is compiling it, which takes a while for a large component, once");
            }
            deploying.await?
        }
    };
    if args.json {
        return crate::command::print_json([&deployed]);
    }
    crate::command::print(&told(&deployed))
}

/// What was done, in lines.
pub(super) fn told(deployed: &Deployed) -> String {
    let Deployed { plugin, version, before, roles, action, kinds, hosts, changes } = deployed;
    let short = |version: &Option<Version>| version.as_ref().map_or("none", Version::short).to_owned();
    let mut text = match (action, version) {
        (Action::Retire, _) => format!("retired {plugin}: it is asked about nothing any more\n"),
        (Action::Canary, Some(version)) => format!("canary of {plugin}: version {}\n", version.short()),
        (Action::Shadow, Some(version)) => format!("shadow of {plugin}: version {}\n", version.short()),
        (Action::Deploy, Some(version)) => format!("deployed {plugin} version {}", version.short()),
        _ => format!("{} of {plugin}: version {}", action.name(), short(version)),
    };
    if !text.ends_with('\n') {
        let before =
            before.as_ref().map_or_else(String::new, |before| format!(" (before: {})", before.short()));
        text.push_str(&before);
        text.push('\n');
    }
    if let Some(canary) = &roles.canary {
        let steps: String = canary.steps.iter().map(|step| format!(", then {step}")).collect();
        text.push_str(&format!("  decides for:  {} of the assets{steps}\n", canary.share));
        text.push_str(&format!("  all others:   version {}\n", short(&roles.active)));
    } else if roles.active.is_some() {
        let hosts = if hosts.is_empty() { "no host".to_owned() } else { hosts.join(", ") };
        text.push_str(&format!("  asked about: {}\n  may reach:   {hosts}\n", kinds.join(", ")));
    }
    if !changes.is_empty() {
        let lines: Vec<_> = changes.iter().map(rights::line).collect();
        text.push_str(&format!("  against the version before:\n  {}\n", lines.join("\n  ")));
    }
    text
}
