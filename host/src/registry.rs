//! The plugins that decide now. An immutable value swapped whole: whoever holds one sees no change.

use crate::account::Account;
use crate::effect::{Grants, HostGrant};
use crate::event::Event;
use crate::limits::Limits;
use crate::plugin::{Manifest, PluginName, Version};
use crate::sandbox::Prepared;
use std::sync::{Arc, Mutex, PoisonError};

/// One plugin ready to be asked: an active version, compiled.
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
    pub code: Prepared,
    /// What it costs.
    pub account: Arc<Account>,
}

/// The active plugins, by name.
#[derive(Clone, Default)]
pub struct Registry(Vec<Arc<Active>>);

impl Registry {
    /// The plugins that are asked about this event, in the order of their names.
    pub fn route(&self, event: &Event) -> impl Iterator<Item = &Arc<Active>> {
        self.0.iter().filter(move |active| active.manifest.is_for(event))
    }

    /// The active version of this plugin.
    #[must_use]
    pub fn find(&self, name: &PluginName) -> Option<&Arc<Active>> {
        self.0.iter().find(|active| active.manifest.name == *name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Active>> {
        self.0.iter()
    }

    fn with(&self, active: Active) -> Self {
        let mut plugins: Vec<_> =
            self.0.iter().filter(|other| other.manifest.name != active.manifest.name).cloned().collect();
        plugins.push(Arc::new(active));
        plugins.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        Self(plugins)
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

    /// From now on this version decides; batches under way finish with what they hold.
    pub fn activate(&self, active: Active) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(current.with(active));
    }
}
