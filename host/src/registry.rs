//! The plugins at work now. An immutable value swapped whole: whoever holds one sees no change.

use crate::account::Account;
use crate::deployment::Share;
use crate::effect::{Grants, HostGrant};
use crate::event::Event;
use crate::limits::Limits;
use crate::plugin::{Manifest, PluginName, Version};
use crate::sandbox::Code;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One version of a plugin, ready to be asked.
#[derive(Clone)]
pub struct Active {
    /// The version.
    pub version: Version,
    /// What its manifest says.
    pub manifest: Manifest,
    /// What it may cause.
    pub grants: Grants,
    /// Of what it may reach, what is its sender's: what it writes there comes back.
    pub writes_back_to: Vec<HostGrant>,
    /// Its settings as the contract gives them, ordered by name.
    pub settings: Vec<(String, String)>,
    /// The limits of one call.
    pub limits: Limits,
    /// Its compiled code.
    pub code: Code,
    /// What it costs.
    pub account: Arc<Account>,
}

/// One plugin, with its versions at work.
#[derive(Clone)]
pub struct Standing {
    /// The plugin.
    pub name: PluginName,
    /// What decides.
    pub active: Option<Arc<Active>>,
    /// What decides in its place for a share of the assets.
    pub canary: Option<CanaryAtWork>,
    /// What is asked beside the active one, without effect.
    pub shadow: Option<Arc<Active>>,
}

/// A version that decides for a share of the assets.
#[derive(Clone)]
pub struct CanaryAtWork {
    /// The version.
    pub active: Arc<Active>,
    /// Of how many assets.
    pub share: Share,
    /// The shares that it is raised to by itself.
    pub steps: Vec<Share>,
}

impl Standing {
    /// Nothing of it is at work.
    #[must_use]
    pub const fn none(name: PluginName) -> Self {
        Self { name, active: None, canary: None, shadow: None }
    }

    /// The version that decides about this event: always the same for one asset, until what is at work changes.
    #[must_use]
    pub fn decides(&self, event: &Event) -> Option<&Arc<Active>> {
        let receipt = event.receipt.to_bytes();
        let subject = if event.subject.is_empty() { &receipt[..] } else { event.subject.as_bytes() };
        match &self.canary {
            Some(canary) if canary.share.covers(&self.name, event.source.as_str(), subject) => {
                Some(&canary.active)
            }
            _ => self.active.as_ref(),
        }
    }

    /// What this version's answers are compared with: a canary's with the active version's, the active version's with
    /// the shadow's.
    #[must_use]
    pub fn pair(&self, decided: &Version) -> Option<Pair> {
        let active = self.active.as_ref()?;
        match (&self.canary, &self.shadow) {
            (Some(CanaryAtWork { active: canary, .. }), _) if canary.version == *decided => Some(Pair {
                decided: Arc::clone(canary),
                other: Arc::clone(active),
                judged: Arc::clone(canary),
            }),
            (_, Some(shadow)) if active.version == *decided => Some(Pair {
                decided: Arc::clone(active),
                other: Arc::clone(shadow),
                judged: Arc::clone(shadow),
            }),
            _ => None,
        }
    }

    /// All of its versions at work.
    pub fn at_work(&self) -> impl Iterator<Item = &Arc<Active>> {
        self.active.iter().chain(self.canary.as_ref().map(|canary| &canary.active)).chain(&self.shadow)
    }
}

/// Two versions of a plugin whose answers are compared.
#[derive(Clone)]
pub struct Pair {
    /// The one that decided.
    pub decided: Arc<Active>,
    /// The one that is asked, too.
    pub other: Arc<Active>,
    /// Whichever of them is on trial.
    pub judged: Arc<Active>,
}

/// The plugins at work, by name, and which of them want which kind of event: a thousand that want others cost an event
/// nothing.
#[derive(Clone, Default)]
pub struct Registry {
    plugins: Vec<Arc<Standing>>,
    by_kind: HashMap<String, Vec<usize>>,
    of_any_kind: Vec<usize>,
    is_on_trial: bool,
}

impl Registry {
    /// Whether any plugin has a canary or a shadow.
    #[must_use]
    pub const fn is_on_trial(&self) -> bool {
        self.is_on_trial
    }

    /// The versions that decide about this event, in the order of their plugins' names.
    pub fn route(&self, event: &Event) -> impl Iterator<Item = &Arc<Active>> {
        self.of_kind(&event.kind)
            .filter_map(|place| self.plugins.get(place)?.decides(event))
            .filter(move |active| active.manifest.is_for(event))
    }

    /// The places of those that want this kind or all, in order: both lists are, and no place is in both.
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = usize> {
        let mut named = self.by_kind.get(kind).into_iter().flatten().copied().peekable();
        let mut any = self.of_any_kind.iter().copied().peekable();
        std::iter::from_fn(move || match (named.peek(), any.peek()) {
            (Some(a), Some(b)) if a > b => any.next(),
            (Some(_), _) => named.next(),
            (None, _) => any.next(),
        })
    }

    /// What of this plugin is at work.
    #[must_use]
    pub fn standing(&self, name: &PluginName) -> Option<&Arc<Standing>> {
        let place = self.plugins.binary_search_by(|standing| standing.name.cmp(name)).ok()?;
        self.plugins.get(place)
    }

    /// The active version of this plugin.
    #[must_use]
    pub fn find(&self, name: &PluginName) -> Option<&Arc<Active>> {
        self.standing(name)?.active.as_ref()
    }

    /// All plugins, in the order of their names.
    pub fn standings(&self) -> impl Iterator<Item = &Arc<Standing>> {
        self.plugins.iter()
    }

    /// The active versions, in the order of their plugins' names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Active>> {
        self.plugins.iter().filter_map(|standing| standing.active.as_ref())
    }

    fn new(mut plugins: Vec<Arc<Standing>>) -> Self {
        plugins.retain(|standing| standing.at_work().next().is_some());
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut by_kind, mut of_any_kind) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for (place, standing) in plugins.iter().enumerate() {
            let kinds = || standing.at_work().flat_map(|active| &active.manifest.kinds);
            if kinds().any(|kind| kind == "*") {
                of_any_kind.push(place);
                continue;
            }
            for kind in kinds() {
                let places = by_kind.entry(kind.clone()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        let is_on_trial = plugins.iter().any(|it| it.canary.is_some() || it.shadow.is_some());
        Self { plugins, by_kind, of_any_kind, is_on_trial }
    }
}

/// Where the registry of the moment is found. Swapping it is one store of a pointer.
#[derive(Default)]
pub struct Switchboard(Mutex<Arc<Registry>>);

impl Switchboard {
    /// The registry of the moment. Called once per batch.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these are at work of these plugins; batches under way finish with what they hold.
    pub fn set(&self, changed: Vec<Standing>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |known: &&Arc<Standing>| changed.iter().all(|standing| standing.name != known.name);
        let mut plugins: Vec<_> = current.plugins.iter().filter(is_other).cloned().collect();
        plugins.extend(changed.into_iter().map(Arc::new));
        *current = Arc::new(Registry::new(plugins));
    }

    /// From now on this version alone decides for its plugin.
    pub fn activate(&self, active: Active) {
        let name = active.manifest.name.clone();
        self.set(vec![Standing { active: Some(Arc::new(active)), ..Standing::none(name) }]);
    }
}
