//! How often versions were asked, how long that took and how often it failed, step by step. Pure.

use super::{Pace, STEP_MS};
use crate::account::AccountRow;
use crate::plugin::{PluginName, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one version did in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    plugin: PluginName,
    version: Version,
    calls: u64,
    faults: u64,
    wall_us: u64,
}

/// The last hour of the versions: one value for each step, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSeries {
    /// The length of a step, in milliseconds.
    pub step_ms: u64,
    /// When the first step began, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// The versions that were asked in it.
    pub versions: Vec<VersionSeries>,
}

/// The last hour of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionSeries {
    /// The plugin.
    pub plugin: PluginName,
    /// Which version of it.
    pub version: Version,
    /// How often it was asked within each step.
    pub calls: Vec<u64>,
    /// How often it was at fault within each step.
    pub faults: Vec<u64>,
    /// The mean time of a call within each step, in microseconds; `null` where there was none.
    pub mean_us: Vec<Option<u64>>,
}

/// What the versions did between two looks at what they cost.
pub(super) fn between(before: &[AccountRow], now: &[AccountRow]) -> Vec<Asked> {
    let asked = now.iter().map(|row| {
        let known = before.iter().find(|known| known.version == row.version && known.plugin == row.plugin);
        let since = |of: fn(&AccountRow) -> u64| of(row).saturating_sub(known.map_or(0, of));
        Asked {
            plugin: row.plugin.clone(),
            version: row.version.clone(),
            calls: since(|it| it.calls),
            faults: since(|it| it.faults.values().sum()),
            wall_us: since(|it| it.wall_us),
        }
    });
    asked.filter(|it| it.calls > 0 || it.faults > 0).collect()
}

impl Pace {
    /// The last so many steps of the versions, of this plugin or of all.
    #[must_use]
    pub fn usage(&self, plugin: Option<&PluginName>, steps_max: usize) -> UsageSeries {
        let steps = self.steps.len().min(steps_max);
        let shown = || self.steps.iter().skip(self.steps.len() - steps);
        let mut versions: Vec<VersionSeries> = Vec::new();
        for (at, step) in shown().enumerate() {
            for it in step.usage.iter().filter(|it| plugin.is_none_or(|plugin| *plugin == it.plugin)) {
                let line = line_of(&mut versions, it, steps);
                line.calls[at] = it.calls;
                line.faults[at] = it.faults;
                line.mean_us[at] = it.wall_us.checked_div(it.calls);
            }
        }
        UsageSeries { step_ms: STEP_MS, from_ms: self.began_ms(steps), versions }
    }
}

fn line_of<'a>(versions: &'a mut Vec<VersionSeries>, of: &Asked, steps: usize) -> &'a mut VersionSeries {
    let known = versions.iter().position(|line| line.version == of.version && line.plugin == of.plugin);
    let at = known.unwrap_or_else(|| {
        versions.push(VersionSeries {
            plugin: of.plugin.clone(),
            version: of.version.clone(),
            calls: vec![0; steps],
            faults: vec![0; steps],
            mean_us: vec![None; steps],
        });
        versions.len() - 1
    });
    &mut versions[at]
}
