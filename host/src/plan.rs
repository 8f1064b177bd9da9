//! From a plugin's answer to what the host will do about it. Pure.

use crate::decision::{Decision, Refusal};
use crate::effect::{Effect, EffectKey, EffectLimits};
use crate::fault::Fault;
use crate::log::Log;
use crate::plugin::{PluginName, Version};
use crate::registry::Active;
use crate::retry::{self, Next, RetryPolicy};
use crate::sandbox::Answer;
use tidegate_envelope::Receipt;

/// All that comes of one event from one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which plugin was asked.
    pub plugin: PluginName,
    /// Which version of it answered.
    pub version: Version,
    /// Which time it was asked, from 1.
    pub attempt: u32,
    /// How long it took to answer, in microseconds.
    pub asked_us: u64,
    /// What it wrote meanwhile.
    pub log: Log,
    /// What comes of it.
    pub verdict: Verdict,
}

/// What comes of one answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The plugin decided, and all it decided was granted.
    Decided {
        /// What will be performed.
        effects: Vec<Effect>,
        /// Lines on the event's timeline.
        notes: Vec<String>,
    },
    /// The plugin said that the event is none of its business.
    Skipped,
    /// It will be asked again.
    Waiting {
        /// When, in milliseconds since the Unix epoch.
        due_at_ms: u64,
        /// Why.
        why: String,
    },
    /// Out of the way until a person looks.
    Parked {
        /// Why.
        why: String,
    },
}

/// One answer with all that the plan depends on.
pub struct Asked<'a> {
    /// The event's receipt.
    pub receipt: Receipt,
    /// Who was asked.
    pub active: &'a Active,
    /// Which time, from 1.
    pub attempt: u32,
    /// How long it took, in microseconds.
    pub asked_us: u64,
    /// What it said.
    pub answer: Answer,
    /// What it wrote.
    pub log: Log,
    /// When it said so, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// A number in 0..1 that spreads retries.
    pub jitter: f64,
}

/// The rules that plans follow.
#[derive(Clone, Copy, Debug)]
pub struct PlanRules {
    /// When to ask again.
    pub retry: RetryPolicy,
    /// Limits of one effect.
    pub effect: EffectLimits,
}

/// What comes of this answer. A decision that was not granted parks the event for this plugin and causes
/// nothing: half a plan is never performed.
#[must_use]
pub fn plan(asked: Asked<'_>, rules: &PlanRules) -> Plan {
    let Asked { receipt, active, attempt, asked_us, answer, log, now_ms, jitter } = asked;
    let again = |retry_after_ms, why: String| match retry::next(&rules.retry, attempt, retry_after_ms, jitter)
    {
        Next::After(ms) => Verdict::Waiting { due_at_ms: now_ms.saturating_add(ms), why },
        Next::GiveUp => Verdict::Parked { why: format!("{why}; asked {attempt} times") },
    };
    let verdict = match answer {
        Ok(Ok(decisions)) => grant_all(receipt, active, &decisions, &rules.effect)
            .unwrap_or_else(|fault| Verdict::Parked { why: fault.to_string() }),
        Ok(Err(Refusal::Skip)) => Verdict::Skipped,
        Ok(Err(Refusal::RetryAfterMs(ms))) => again(Some(ms), format!("the plugin asked for {ms} ms")),
        Ok(Err(Refusal::Park(why) | Refusal::Other(why))) => Verdict::Parked { why },
        Err(fault) if fault.is_passing() => again(None, fault.to_string()),
        Err(fault) => Verdict::Parked { why: fault.to_string() },
    };
    let (plugin, version) = (active.manifest.name.clone(), active.version.clone());
    Plan { plugin, version, attempt, asked_us, log, verdict }
}

fn grant_all(
    receipt: Receipt,
    active: &Active,
    decisions: &[Decision],
    limits: &EffectLimits,
) -> Result<Verdict, Fault> {
    let (mut effects, mut notes) = (Vec::new(), Vec::new());
    for (position, decision) in decisions.iter().enumerate() {
        match grant(receipt, active, position, decision, limits)? {
            Granted::Effect(effect) => effects.push(effect),
            Granted::Note(text) => notes.push(text),
        }
    }
    Ok(Verdict::Decided { effects, notes })
}

/// What one decision becomes.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "the larger one is nearly every one, and each is moved once")]
pub enum Granted {
    /// It will be performed.
    Effect(Effect),
    /// A line on the event's timeline.
    Note(String),
}

/// What the decision at this place, from 0, becomes by itself.
///
/// # Errors
/// [`Fault::NotGranted`] says which rule it breaks.
pub fn grant(
    receipt: Receipt,
    active: &Active,
    position: usize,
    decision: &Decision,
    limits: &EffectLimits,
) -> Result<Granted, Fault> {
    let denied = |why: String| Fault::NotGranted(format!("decision {position}: {why}"));
    match decision {
        Decision::Http(request) if request.reply_tag.is_some() => {
            Err(denied("`http` with a reply tag: this host delivers no replies yet".into()))
        }
        Decision::Http(request) => {
            let key = EffectKey::new(receipt, &active.manifest.name, position);
            let effect = Effect::grant(request, &active.grants, key, limits);
            effect.map(Granted::Effect).map_err(|error| denied(error.to_string()))
        }
        Decision::Note(text) => Ok(Granted::Note(text.clone())),
        Decision::Emit { .. } => Err(denied(not_carried_out("emit"))),
        Decision::Wake { .. } => Err(denied(not_carried_out("wake"))),
        Decision::Remember(_) => Err(denied(not_carried_out("remember"))),
        Decision::Other { kind, .. } => Err(denied(not_carried_out(kind))),
    }
}

fn not_carried_out(kind: &str) -> String {
    let kind: String = kind.chars().take(60).collect();
    format!("`{kind}` is not carried out by this host, which knows `http` and `note`")
}
