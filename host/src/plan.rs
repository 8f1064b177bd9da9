//! From a plugin's answer to what the host will do about it. Pure.

use crate::arrival::Place;
use crate::decision::{Decision, HttpRequest, Refusal};
use crate::effect::{Effect, EffectKey, EffectLimits};
use crate::event::{Cause, Event};
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::log::Log;
use crate::plugin::{PluginName, Version};
use crate::registry::Active;
use crate::retry::{self, Next, RetryPolicy};
use crate::sandbox::Answer;
use crate::subject::Memory;
use crate::upcoming::{self, Upcoming};
use std::sync::Arc;

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
    /// What it was made of.
    pub basis: Basis,
}

/// What a plan was made of beside its event, so that the same version can be asked again, and another be compared with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Basis {
    /// What the plugin remembered of the subject.
    pub memory: Option<Arc<[u8]>>,
    /// Tells the answer from any other; `None` when there was none.
    pub fingerprint: Option<Fingerprint>,
}

impl Plan {
    /// Of a plugin that was not asked.
    #[must_use]
    pub fn unasked(plugin: PluginName, version: Version, attempt: u32, verdict: Verdict) -> Self {
        Self { plugin, version, attempt, asked_us: 0, log: Log::default(), verdict, basis: Basis::default() }
    }
}

/// What comes of one answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The plugin decided, and all it decided was granted.
    Decided(Decided),
    /// The plugin said that the event is none of its business.
    Skipped,
    /// It will be asked again.
    Waiting {
        /// When, in milliseconds since the Unix epoch.
        due_at_ms: u64,
        /// Why.
        why: String,
    },
    /// Not asked: something before it in its lane is not decided.
    Held,
    /// Out of the way until a person looks.
    Parked {
        /// Why.
        why: String,
        /// Whether what is behind it in its lane waits for it. A plugin that says itself that it wants an event out of
        /// the way has not failed at it.
        is_holding: bool,
    },
}

/// All that was decided about one event, granted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided {
    /// What will be performed.
    pub effects: Vec<Effect>,
    /// Events that will be told.
    pub upcoming: Vec<Upcoming>,
    /// What the plugin remembers of the subject from now on; `None`: as before.
    pub memory: Option<Memory>,
    /// Lines on the event's timeline.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Whether what comes later in the same lane must wait.
    #[must_use]
    pub const fn is_holding(&self) -> bool {
        match self {
            Self::Decided(_) | Self::Skipped => false,
            Self::Waiting { .. } | Self::Held => true,
            Self::Parked { is_holding, .. } => *is_holding,
        }
    }
}

/// One answer with all that the plan depends on.
pub struct Asked<'a> {
    /// What about.
    pub event: &'a Event,
    /// Who was asked.
    pub active: &'a Active,
    /// Which time, from 1.
    pub attempt: u32,
    /// How long it took, in microseconds.
    pub asked_us: u64,
    /// What it remembered of the subject when it was asked.
    pub memory: Option<Arc<[u8]>>,
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
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanRules {
    /// When to ask again.
    pub retry: RetryPolicy,
    /// Limits of one effect.
    pub effect: EffectLimits,
    /// Limits of the other decisions.
    pub decisions: DecisionLimits,
}

/// What decisions other than effects may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionLimits {
    /// The longest that a plugin may have itself woken after, in milliseconds; what is longer is cut to it.
    pub wake_after_ms_max: u64,
    /// Bytes that one plugin may remember of one subject.
    pub memory_bytes_max: usize,
    /// How many events may each be caused by the one before.
    pub chain_depth_max: u32,
}

impl Default for DecisionLimits {
    fn default() -> Self {
        Self { wake_after_ms_max: 366 * 24 * 3_600 * 1_000, memory_bytes_max: 64 << 10, chain_depth_max: 16 }
    }
}

/// What comes of this answer. A decision that was not granted parks the event for this plugin and causes
/// nothing: half a plan is never performed.
#[must_use]
pub fn plan(asked: Asked<'_>, rules: &PlanRules) -> Plan {
    let Asked { event, active, attempt, asked_us, memory, answer, log, now_ms, jitter } = asked;
    let fingerprint = answer.as_ref().ok().map(Fingerprint::of);
    let retry = active.manifest.retry.under(&rules.retry);
    let again = |retry_after_ms, why: String| match retry::next(&retry, attempt, retry_after_ms, jitter) {
        Next::After(ms) => Verdict::Waiting { due_at_ms: now_ms.saturating_add(ms), why },
        Next::GiveUp => parked(format!("{why}; asked {attempt} times")),
    };
    let verdict = match answer {
        Ok(Ok(decisions)) => {
            let asking = Asking { event, active, rules, now_ms };
            asking.grant_all(&decisions).unwrap_or_else(|fault| parked(fault.to_string()))
        }
        Ok(Err(Refusal::Skip)) => Verdict::Skipped,
        Ok(Err(Refusal::RetryAfterMs(ms))) => again(Some(ms), format!("the plugin asked for {ms} ms")),
        Ok(Err(Refusal::Park(why) | Refusal::Other(why))) => Verdict::Parked { why, is_holding: false },
        Err(fault) if fault.is_passing() => again(None, fault.to_string()),
        Err(fault) => parked(fault.to_string()),
    };
    let (plugin, version) = (active.manifest.name.clone(), active.version.clone());
    Plan { plugin, version, attempt, asked_us, log, verdict, basis: Basis { memory, fingerprint } }
}

const fn parked(why: String) -> Verdict {
    Verdict::Parked { why, is_holding: true }
}

/// What one decision becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Granted {
    /// It will be performed.
    Effect(Effect),
    /// It will be told.
    Upcoming(Upcoming),
    /// It is remembered.
    Memory(Option<Vec<u8>>),
    /// A line on the event's timeline.
    Note(String),
}

/// Whose decisions are checked, about what, by which rules.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// What the plugin was asked about.
    pub event: &'a Event,
    /// Which plugin.
    pub active: &'a Active,
    /// The rules.
    pub rules: &'a PlanRules,
    /// When it answered, in milliseconds since the Unix epoch.
    pub now_ms: u64,
}

impl Asking<'_> {
    fn grant_all(&self, decisions: &[Decision]) -> Result<Verdict, Fault> {
        let mut decided = Decided::default();
        for (position, decision) in decisions.iter().enumerate() {
            match self.grant(position, decision)? {
                Granted::Effect(effect) => decided.effects.push(effect),
                Granted::Upcoming(upcoming) => decided.upcoming.push(upcoming),
                Granted::Memory(body) => {
                    decided.memory =
                        Some(Memory { place: Place::of(self.event, None), body: body.map(Arc::from) });
                }
                Granted::Note(text) => decided.notes.push(text),
            }
        }
        Ok(Verdict::Decided(decided))
    }

    /// What the decision at this place, from 0, becomes by itself.
    ///
    /// # Errors
    /// [`Fault::NotGranted`] says which rule it breaks.
    pub fn grant(&self, position: usize, decision: &Decision) -> Result<Granted, Fault> {
        let granted = match decision {
            Decision::Http(request)
                if request.reply_tag.is_some() && !self.active.manifest.wants(upcoming::REPLY) =>
            {
                Err(unheard("`http` with a reply tag", upcoming::REPLY))
            }
            Decision::Http(request) => self.http(position, request).map(Granted::Effect),
            Decision::Emit { kind, subject, content_type, body } => {
                let emitted = (kind.as_str(), subject.as_str(), content_type.clone(), body.as_slice());
                self.emit(position, emitted).map(Granted::Upcoming)
            }
            Decision::Wake { .. } if !self.active.manifest.wants(upcoming::WAKE) => {
                Err(unheard("`wake`", upcoming::WAKE))
            }
            Decision::Wake { after_ms, tag, body } => {
                self.wake(position, *after_ms, tag, body).map(Granted::Upcoming)
            }
            Decision::Remember(memory) => self.remember(memory.as_deref()).map(Granted::Memory),
            Decision::Note(text) => Ok(Granted::Note(text.clone())),
            Decision::Other { kind, .. } => {
                let kind: String = kind.chars().take(60).collect();
                Err(format!("`{kind}` is no kind of decision that this host knows"))
            }
        };
        granted.map_err(|why| Fault::NotGranted(format!("decision {position}: {why}")))
    }

    fn http(&self, position: usize, request: &HttpRequest) -> Result<Effect, String> {
        if request.reply_tag.is_some() {
            self.depth("`http` with a reply tag")?;
        }
        let key = EffectKey::new(self.event.receipt, &self.active.manifest.name, position);
        Effect::grant(request, &self.active.grants, key, &self.rules.effect)
            .map_err(|error| error.to_string())
    }

    fn emit(
        &self,
        position: usize,
        (kind, subject, content_type, body): (&str, &str, Option<String>, &[u8]),
    ) -> Result<Upcoming, String> {
        let named: String = kind.chars().take(60).collect();
        if kind.starts_with(upcoming::OWN_KINDS) {
            return Err(format!("`emit` of `{named}`: kinds that begin with `tidegate.` are the host's own"));
        }
        if !self.active.manifest.emits.iter().any(|granted| granted == "*" || granted == kind) {
            let granted = self.active.manifest.emits.join(", ");
            let granted = if granted.is_empty() { "none" } else { &granted };
            return Err(format!(
                "`emit` of `{named}`, which is not granted (granted: {granted}); name it in `emits` of plugin.toml"
            ));
        }
        Ok(Upcoming {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            content_type,
            ..self.upcoming(position, "emit", self.now_ms, None, body)?
        })
    }

    fn wake(&self, position: usize, after_ms: u64, tag: &str, body: &[u8]) -> Result<Upcoming, String> {
        let due_at_ms = self.now_ms.saturating_add(after_ms.min(self.rules.decisions.wake_after_ms_max));
        let audience = Some(self.active.manifest.name.clone());
        let mut wake = self.upcoming(position, "wake", due_at_ms, audience, body)?;
        wake.kind = upcoming::WAKE.to_owned();
        wake.attributes.push(("tag".to_owned(), tag.to_owned()));
        Ok(wake)
    }

    fn remember(&self, memory: Option<&[u8]>) -> Result<Option<Vec<u8>>, String> {
        let max = self.rules.decisions.memory_bytes_max;
        match memory {
            _ if self.event.subject.is_empty() => {
                Err("`remember`: the event has no subject to remember anything of".to_owned())
            }
            Some(memory) if memory.len() > max => {
                Err(format!("`remember`: memory_bytes_max: {} is too many, the limit is {max}", memory.len()))
            }
            memory => Ok(memory.map(<[u8]>::to_vec)),
        }
    }

    /// How many causes stand before an event that this one causes.
    fn depth(&self, what: &str) -> Result<u32, String> {
        let depth = self.event.cause.as_ref().map_or(0, |cause| cause.depth).saturating_add(1);
        let max = self.rules.decisions.chain_depth_max;
        if depth > max {
            return Err(format!(
                "{what}: chain_depth_max: {max} events already led here, each by the one before"
            ));
        }
        Ok(depth)
    }

    /// An event about the same subject that this one causes.
    fn upcoming(
        &self,
        position: usize,
        what: &str,
        due_at_ms: u64,
        audience: Option<PluginName>,
        body: &[u8],
    ) -> Result<Upcoming, String> {
        let Event { receipt, source, subject, .. } = self.event;
        let depth = self.depth(&format!("`{what}`"))?;
        Ok(Upcoming {
            receipt: Upcoming::receipt(due_at_ms, *receipt, &self.active.manifest.name, position, what),
            due_at_ms,
            source: source.clone(),
            kind: String::new(),
            subject: subject.clone(),
            content_type: None,
            body: body.to_vec(),
            attributes: Vec::new(),
            cause: Cause { receipt: *receipt, depth, audience },
        })
    }
}

/// A plugin is asked about the kinds in its manifest alone, the host's own among them.
fn unheard(what: &str, kind: &str) -> String {
    format!(
        "{what} leads to an event of kind `{kind}`, which this plugin does not want; name it in `kinds` of plugin.toml"
    )
}
