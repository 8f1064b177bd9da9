//! What the operator is told when a source is in trouble: the words, and the JSON that travels. Pure: knows nothing
//! of when it is said (`vigil`) or how it is sent (`alert::sender`).

mod group;
mod host;
pub mod sender;
pub mod signature;
#[cfg(test)]
mod tests;

use crate::condition::News;
use crate::condition::missing::HostNews;
use crate::plugin::{PluginName, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_envelope::{Digest, SourceName};
use tidegate_source::profile;

/// Something that the operator should know, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// The edge did not answer a source's sender with a 2xx: the first time after all was well.
    Failing(Trouble),
    /// One more failure in a row, and the sender stops delivering.
    NearlyCutOff(Trouble),
    /// The sender has every reason to have stopped delivering.
    CutOff(Trouble),
    /// Nothing comes from a source, for longer than its rhythm explains.
    Silent {
        /// Which.
        source: SourceName,
        /// The name of its profile, where it is known.
        profile: Option<String>,
        /// When it was last heard of, in milliseconds since the Unix epoch.
        since_ms: u64,
        /// When this was noticed.
        at_ms: u64,
    },
    /// Events come again. What was sent in the gap is lost, unless the sender keeps it.
    Resumed {
        /// The name of the source's profile, where it is known.
        profile: Option<String>,
        /// The gap.
        gap: Gap,
        /// When this was noticed.
        at_ms: u64,
    },
    /// The edge does not say how its sources are.
    EdgeUnreachable {
        /// Since when, in milliseconds since the Unix epoch.
        since_ms: u64,
        /// What it did instead.
        why: String,
        /// When this was noticed.
        at_ms: u64,
    },
    /// The host took a version of a plugin out of work.
    VersionWithdrawn {
        /// The plugin.
        plugin: PluginName,
        /// Which version.
        version: Version,
        /// The version that decides now.
        now: Option<Version>,
        /// Why, with examples.
        why: String,
        /// When, in milliseconds since the Unix epoch.
        at_ms: u64,
    },
    /// The host as a whole is in a bad way, or no longer.
    Host(News),
    /// A host of the group is missing, or there again.
    Member(HostNews),
    /// The operator wants to see that telling works.
    Test {
        /// When, in milliseconds since the Unix epoch.
        at_ms: u64,
    },
}

/// How a source's sender has been answered lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which source.
    pub source: SourceName,
    /// The name of its profile.
    pub profile: String,
    /// Answers since the last 2xx that were not 2xx.
    pub failures_in_row: u32,
    /// How many more until the sender stops delivering; `None` when it does not count.
    pub left: Option<u32>,
    /// The status and the text of the last of them.
    pub last_failure: Option<String>,
    /// When that was, in milliseconds since the Unix epoch.
    pub last_failure_ms: Option<u64>,
    /// When a 2xx was given last.
    pub last_success_ms: Option<u64>,
    /// When this was noticed.
    pub at_ms: u64,
}

/// A time in which events may have been lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Whose.
    pub source: SourceName,
    /// The last sign of life before it, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// The first one after it.
    pub to_ms: u64,
    /// What it followed.
    pub after: GapCause,
}

/// What a gap followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// So many failures in a row that the sender stops delivering.
    CutOff,
    /// A silence that the source's rhythm does not explain.
    Silence,
}

impl GapCause {
    /// The word for it, as it is stored and listed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CutOff => "cut-off",
            Self::Silence => "silence",
        }
    }

    /// The cause of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::CutOff, Self::Silence].into_iter().find(|cause| cause.word() == word)
    }
}

impl Alert {
    /// Its type, as the receiver sees it: `source.cut_off`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Failing(_) => "source.failing",
            Self::NearlyCutOff(_) => "source.nearly_cut_off",
            Self::CutOff(_) => "source.cut_off",
            Self::Silent { .. } => "source.silent",
            Self::Resumed { .. } => "source.resumed",
            Self::EdgeUnreachable { .. } => "edge.unreachable",
            Self::VersionWithdrawn { .. } => "plugin.version_withdrawn",
            Self::Host(news) => news.kind(),
            Self::Member(news) => news.kind(),
            Self::Test { .. } => "test",
        }
    }

    /// The source it is about, if it is about one.
    #[must_use]
    pub const fn source(&self) -> Option<&SourceName> {
        match self {
            Self::Failing(trouble) | Self::NearlyCutOff(trouble) | Self::CutOff(trouble) => {
                Some(&trouble.source)
            }
            Self::Silent { source, .. } => Some(source),
            Self::Resumed { gap, .. } => Some(&gap.source),
            Self::EdgeUnreachable { .. }
            | Self::VersionWithdrawn { .. }
            | Self::Host(_)
            | Self::Member(_)
            | Self::Test { .. } => None,
        }
    }

    /// When it was raised, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn at_ms(&self) -> u64 {
        match self {
            Self::Failing(trouble) | Self::NearlyCutOff(trouble) | Self::CutOff(trouble) => trouble.at_ms,
            Self::Silent { at_ms, .. }
            | Self::Resumed { at_ms, .. }
            | Self::EdgeUnreachable { at_ms, .. }
            | Self::VersionWithdrawn { at_ms, .. }
            | Self::Test { at_ms } => *at_ms,
            Self::Host(news) => news.at_ms,
            Self::Member(news) => news.at_ms,
        }
    }

    /// Its id, the same each time it is sent: what a receiver recognises a repeat by.
    #[must_use]
    pub fn id(&self) -> String {
        let about = match self {
            Self::VersionWithdrawn { plugin, version, .. } => format!("{plugin} {}", version.as_str()),
            Self::Member(news) => news.id.to_string(),
            _ => self.source().map_or("", SourceName::as_str).to_owned(),
        };
        let digest = Digest::of(format!("{} {about} {}", self.kind(), self.at_ms()).as_bytes());
        format!("alert_{digest:.32}")
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Failing(trouble) => format!("{}{}", trouble.failed(), trouble.what_is_left()),
            Self::NearlyCutOff(trouble) => {
                format!(
                    "{} {} failures in a row{}",
                    trouble.failed(),
                    trouble.failures_in_row,
                    trouble.what_is_left()
                )
            }
            Self::CutOff(trouble) => format!(
                "{} {} failures in a row: expect that its sender has switched delivery off",
                trouble.failed(),
                trouble.failures_in_row
            ),
            Self::Silent { source, since_ms, .. } => {
                format!("nothing has come from {source} since {}, which is not like it", time(*since_ms))
            }
            Self::Resumed { gap, .. } => format!(
                "events from {} come again; what was sent between {} and {} may be lost",
                gap.source,
                time(gap.from_ms),
                time(gap.to_ms)
            ),
            Self::EdgeUnreachable { since_ms, why, .. } => {
                format!("the edge has not said how its sources are since {}: {why}", time(*since_ms))
            }
            Self::VersionWithdrawn { plugin, version, why, .. } => {
                format!("version {} of the plugin {plugin} was taken out of work: {why}", version.short())
            }
            Self::Host(news) => news.summary(),
            Self::Member(news) => news.summary(),
            Self::Test { .. } => "this is a test: alerts of Tidegate arrive here".to_owned(),
        }
    }

    /// What a person does about it: one step per line.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let fixed = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Failing(trouble) | Self::NearlyCutOff(trouble) => vec![
                format!("See why: tidegate source status {}", trouble.source),
                "Look at the Worker's logs and its queue: until a request is answered with a 2xx, each one counts.".into(),
            ],
            Self::CutOff(trouble) => {
                let test = format!("See that the edge takes events again: tidegate source test {} --url <its URL>", trouble.source);
                [vec![test], resume_steps(Some(&trouble.profile))].concat()
            }
            Self::Silent { source, profile, .. } => {
                let test = format!("See that the edge takes events: tidegate source test {source} --url <its URL>");
                [vec![test], resume_steps(profile.as_deref())].concat()
            }
            Self::Resumed { gap, .. } => vec![
                format!("See all gaps: tidegate source gaps {}", gap.source),
                "Compare what the sender has with what arrived: events of that time do not come again by themselves.".into(),
            ],
            Self::EdgeUnreachable { .. } => fixed(&[
                "Check edge.url in tidegate.toml: <edge.url>/healthz must answer.",
                "Check that TIDEGATE_EDGE_TOKEN is what `wrangler secret put HOST_TOKEN` was given.",
            ]),
            Self::VersionWithdrawn { plugin, version, .. } => vec![
                format!("See what it failed at: tidegate parked list --plugin {plugin}"),
                format!(
                    "Mend it and deploy the mended version, or see what it would decide: tidegate plugin history {plugin}; the \
                     version taken out of work is {}.",
                    version.short()
                ),
                format!("Have what it parked decided: tidegate parked redrive --plugin {plugin} --yes"),
            ],
            Self::Host(news) => news.steps(),
            Self::Member(news) => news.steps(),
            Self::Test { .. } => fixed(&["Nothing is to be done."]),
        }
    }

    /// The body that is sent: type, timestamp and data, as Standard Webhooks has it
    /// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
    #[must_use]
    pub fn payload(&self) -> Value {
        let mut data = match self {
            Self::Failing(trouble) | Self::NearlyCutOff(trouble) | Self::CutOff(trouble) => json!({
                "source": trouble.source,
                "profile": trouble.profile,
                "failures_in_row": trouble.failures_in_row,
                "left": trouble.left,
                "last_failure": trouble.last_failure,
                "last_failure_at": trouble.last_failure_ms.map(time),
                "last_success_at": trouble.last_success_ms.map(time),
            }),
            Self::Silent { source, profile, since_ms, .. } => {
                json!({ "source": source, "profile": profile, "since": time(*since_ms) })
            }
            Self::Resumed { profile, gap, .. } => json!({
                "source": gap.source,
                "profile": profile,
                "gap": { "from": time(gap.from_ms), "to": time(gap.to_ms), "after": gap.after },
            }),
            Self::EdgeUnreachable { since_ms, why, .. } => json!({ "since": time(*since_ms), "why": why }),
            Self::VersionWithdrawn { plugin, version, now, why, .. } => {
                json!({ "plugin": plugin, "version": version, "now": now, "why": why })
            }
            Self::Host(news) => news.data(),
            Self::Member(news) => news.data(),
            Self::Test { .. } => json!({}),
        };
        if let Some(data) = data.as_object_mut() {
            data.insert("summary".into(), self.summary().into());
            data.insert("steps".into(), self.steps().into());
        }
        json!({ "type": self.kind(), "timestamp": time(self.at_ms()), "data": data })
    }
}

impl Trouble {
    fn failed(&self) -> String {
        let why = self.last_failure.as_ref().map_or_else(String::new, |why| format!(" with {why}"));
        format!("the edge answered the sender of {}{why};", self.source)
    }

    fn what_is_left(&self) -> String {
        match self.left {
            Some(1) => ": one more, and its sender switches delivery off".into(),
            Some(left) => format!(" {left} more in a row, and its sender switches delivery off"),
            None => " how its sender punishes that is not known".into(),
        }
    }
}

/// What a person does to have a sender of this profile deliver again.
#[must_use]
pub fn resume_steps(profile: Option<&str>) -> Vec<String> {
    let known = profile.and_then(profile::find).or_else(|| profile::find("generic"));
    known
        .map(|profile| profile.resume_steps().iter().map(|step| (*step).to_owned()).collect())
        .unwrap_or_default()
}

/// RFC 3339, UTC, to the second.
fn time(ms: u64) -> String {
    let stamp = i64::try_from(ms / 1_000).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    stamp.map_or_else(|| ms.to_string(), |stamp| stamp.to_string())
}
