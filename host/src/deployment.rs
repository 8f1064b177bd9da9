//! What of a plugin is at work: which version decides, which decides for a share of the assets, which is only compared. Pure.

use crate::plugin::{PluginName, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which versions of one plugin are at work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roles {
    /// It decides. A plugin without one is asked about nothing that has no canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Version>,
    /// It decides in the place of the active one, for a share of the assets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// It is asked about what the active one decided, and what differs is recorded; nothing comes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Version>,
}

impl Roles {
    /// All versions in it.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        let canary = self.canary.as_ref().map(|canary| &canary.version);
        self.active.iter().chain(canary).chain(&self.shadow)
    }
}

/// A version that decides for a share of the assets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// Which version.
    pub version: Version,
    /// Of how many assets.
    pub share: Share,
    /// The shares that it is raised to by itself while all goes well, the last of which makes it the active one; empty when a
    /// person raises it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Share>,
}

/// A share of the assets, or of other things, in hundredths of a percent: up to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Share(u16);

/// The text is no share.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no share: write a percentage from 0 to 100, such as 5 or 0.5")]
pub struct ShareError(String);

impl Share {
    /// All assets.
    pub const ALL: Self = Self(10_000);
    /// Half of them.
    pub const HALF: Self = Self(5_000);
    /// One in ten.
    pub const TEN_PERCENT: Self = Self(1_000);
    /// One in a hundred.
    pub const ONE_PERCENT: Self = Self(100);

    /// How large this part of a whole is; `None` when there is no whole.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        let hundredths = part.saturating_mul(10_000).checked_div(whole)?.min(10_000);
        u16::try_from(hundredths).ok().map(Self)
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// Whether this asset is in the share that the plugin's canary decides for. The same assets in a larger share, and
    /// others for another plugin; an event about no asset counts by its receipt, which is then `subject`.
    #[must_use]
    pub fn covers(self, plugin: &PluginName, source: &str, subject: &[u8]) -> bool {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        for part in [plugin.as_str().as_bytes(), source.as_bytes(), subject] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let place = digest.iter().take(8).fold(0_u64, |place, byte| (place << 8) | u64::from(*byte));
        place % u64::from(Self::ALL.0) < u64::from(self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{percent}%"),
            _ => write!(f, "{}%", format!("{percent}.{rest:02}").trim_end_matches('0')),
        }
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ShareError(text.chars().take(40).collect());
        let text = text.trim().trim_end_matches('%');
        let (percent, rest) = text.split_once('.').unwrap_or((text, ""));
        if rest.len() > 2 || !percent.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let hundredths: u16 = format!("{percent}{rest:0<2}").parse().map_err(|_| error())?;
        if percent.is_empty() || hundredths > Self::ALL.0 { Err(error()) } else { Ok(Self(hundredths)) }
    }
}

impl TryFrom<String> for Share {
    type Error = ShareError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

/// What was done to a plugin's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A version was made the active one.
    Deploy,
    /// A canary was started, or its share changed.
    Canary,
    /// A shadow was started.
    Shadow,
    /// A canary or a shadow became the active one.
    Promote,
    /// What was at work earlier was brought back.
    Rollback,
    /// The host took a version out of work that did badly.
    Withdraw,
    /// A canary or a shadow was ended.
    End,
    /// The plugin was taken out of work.
    Retire,
}

impl Action {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Deploy, "deploy"),
        (Self::Canary, "canary"),
        (Self::Shadow, "shadow"),
        (Self::Promote, "promote"),
        (Self::Rollback, "rollback"),
        (Self::Withdraw, "withdraw"),
        (Self::End, "end"),
        (Self::Retire, "retire"),
    ];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(action, _)| *action == self).map_or("", |(_, name)| name)
    }

    /// The other way.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(action, _)| *action)
    }
}

/// One change of what is at work of a plugin: what holds from then on. Never changed itself; all of them are the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Its number, from 1; 0 before it is recorded.
    #[serde(default)]
    pub id: i64,
    /// The plugin.
    pub plugin: PluginName,
    /// What is at work from then on.
    pub roles: Roles,
    /// What was done.
    pub action: Action,
    /// Who did it; the host itself where it was the host.
    pub who: String,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_and_says_so_when_it_is_none() {
        for (text, shown) in
            [("5", "5%"), ("0.5%", "0.5%"), ("100", "100%"), ("12.25", "12.25%"), ("0", "0%")]
        {
            assert_eq!(text.parse::<Share>().expect("a share").to_string(), shown);
        }
        for text in ["-1", "101", "five", "", "NaN", "0.001"] {
            let error = text.parse::<Share>().expect_err("no share").to_string();
            assert!(error.contains("percentage"), "{error}");
        }
    }

    #[test]
    fn a_share_has_about_so_many_assets_and_a_larger_one_has_the_same_and_more() {
        let plugin = PluginName::new("notice").expect("a name");
        let in_share = |text: &str| -> Vec<u32> {
            let share: Share = text.parse().expect("a share");
            (0..10_000).filter(|id: &u32| share.covers(&plugin, "amj", id.to_string().as_bytes())).collect()
        };
        let (small, large) = (in_share("5"), in_share("20"));
        assert!((400..600).contains(&small.len()), "{}", small.len());
        assert!((1_850..2_150).contains(&large.len()), "{}", large.len());
        assert!(small.iter().all(|id| large.contains(id)));
        assert_eq!(in_share("100").len(), 10_000);
        let other = PluginName::new("other").expect("a name");
        let share: Share = "5".parse().expect("a share");
        assert!(small.iter().any(|id| !share.covers(&other, "amj", id.to_string().as_bytes())));
    }

    #[test]
    fn every_action_has_a_word_of_its_own() {
        for (action, name) in Action::ALL {
            assert_eq!((action.name(), Action::named(name)), (name, Some(action)));
        }
    }
}
