//! Versions that are kept, made ready to be asked: each is in memory once, for as long as something needs it. Knows nothing
//! of which are at work.

use crate::account::Accounts;
use crate::effect::secret::NamedSecret;
use crate::limits::Limits;
use crate::plugin::{Manifest, ManifestError, PluginName, Version};
use crate::registry::Active;
use crate::sandbox::{AdmissionError, Code, Sandbox};
use crate::store::versions::{KeptVersion, NewVersion, VersionQuery, VersionState};
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What makes versions ready. One for each store.
pub struct Versions<S> {
    /// Where versions are kept.
    pub store: S,
    /// What compiles them.
    pub sandbox: Arc<Sandbox>,
    /// The most that a manifest may ask for.
    pub limits: Limits,
    /// The secrets that the operator named.
    pub secrets: Arc<[NamedSecret]>,
    /// What each version costs.
    pub accounts: Arc<Accounts>,
    /// Those that something holds.
    pub alive: Alive,
}

/// Versions that are ready as long as somebody holds them.
#[derive(Default)]
pub struct Alive(Mutex<HashMap<Version, Weak<Active>>>);

/// Why a version cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// No such version was ever recorded.
    #[error("version {0} was never recorded here; `tidegate plugin history NAME` lists those that were")]
    Unknown(String),
    /// No version of the plugin begins like this.
    #[error("no version of `{plugin}` begins with {prefix}: `tidegate plugin history {plugin}` lists them")]
    NoneBegins {
        /// The plugin.
        plugin: PluginName,
        /// What was asked for.
        prefix: String,
    },
    /// More than one does.
    #[error("several versions of `{plugin}` begin with {prefix}: write more of it")]
    SeveralBegin {
        /// The plugin.
        plugin: PluginName,
        /// What was asked for.
        prefix: String,
    },
    /// The manifest is refused: the operator allows less than when it was recorded.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The component is refused.
    #[error(transparent)]
    Component(#[from] AdmissionError),
    /// The store cannot be read.
    #[error("failed to read the version: {0}")]
    Store(#[from] StoreError),
}

impl<S: Store> Versions<S> {
    /// With the default limits, no secrets, and accounts from the beginning of time.
    #[must_use]
    pub fn new(store: S, sandbox: Arc<Sandbox>) -> Self {
        let (limits, accounts) = (Limits::default(), Arc::new(Accounts::new(0)));
        Self { store, sandbox, limits, secrets: Arc::default(), accounts, alive: Alive::default() }
    }

    /// A version that was recorded, ready to be asked. Its code is loaded when it is asked first, where the cache has it.
    ///
    /// # Errors
    /// When it was never recorded, or is refused now.
    pub async fn get(&self, version: &Version) -> Result<Arc<Active>, VersionError> {
        let mut ready = self.get_all(vec![version.clone()]).await?;
        ready.pop().ok_or_else(|| VersionError::Unknown(version.short().to_owned()))
    }

    /// As [`Versions::get`], for all of them, in their order.
    ///
    /// # Errors
    /// As [`Versions::get`], of the first that is refused.
    pub async fn get_all(&self, versions: Vec<Version>) -> Result<Vec<Arc<Active>>, VersionError> {
        let missing = versions.iter().filter(|version| self.alive.find(version).is_none());
        let missing: Vec<_> = missing.cloned().collect();
        let mut made = HashMap::new();
        if !missing.is_empty() {
            for kept in self.store.kept_versions(missing).await? {
                let active = self.make(&kept).await?;
                made.insert(kept.version, active);
            }
        }
        let ready = versions.iter().map(|version| {
            let ready = made.get(version).cloned().or_else(|| self.alive.find(version));
            ready.ok_or_else(|| VersionError::Unknown(version.short().to_owned()))
        });
        ready.collect()
    }

    /// The version that a plan is pinned to; nothing when that may not be asked any more.
    ///
    /// # Errors
    /// As [`Versions::get`].
    pub async fn pinned(&self, version: &Version) -> Result<Option<Arc<Active>>, VersionError> {
        let kept = self.store.kept_versions(vec![version.clone()]).await?;
        match kept.first() {
            Some(kept) if kept.state == VersionState::Usable => match self.alive.find(version) {
                Some(active) => Ok(Some(active)),
                None => self.make(kept).await.map(Some),
            },
            _ => Ok(None),
        }
    }

    /// The only version of this plugin that begins like this.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn find(&self, plugin: &PluginName, prefix: &str) -> Result<KeptVersion, VersionError> {
        let named = || (plugin.clone(), prefix.chars().take(64).collect::<String>());
        let query = VersionQuery { plugin: plugin.clone(), prefix: Some(prefix.to_owned()), rows_max: 2 };
        let mut found = self.store.versions(query).await?;
        match (found.pop(), found.len()) {
            (Some(found), 0) => Ok(found),
            (None, _) => {
                let (plugin, prefix) = named();
                Err(VersionError::NoneBegins { plugin, prefix })
            }
            _ => {
                let (plugin, prefix) = named();
                Err(VersionError::SeveralBegin { plugin, prefix })
            }
        }
    }

    /// Checks and compiles a version that is to be recorded.
    ///
    /// # Errors
    /// When its manifest or its component is refused.
    pub async fn admit(&self, new: &NewVersion) -> Result<Arc<Active>, VersionError> {
        let limits = new.manifest.limits(&self.limits)?;
        let code = self.compile(new.component.clone(), limits).await?;
        self.hold(new.version.clone(), &new.manifest, limits, code)
    }

    /// Has the code of this version at hand: in memory or in the cache.
    ///
    /// # Errors
    /// When the cache has lost it and it cannot be compiled again.
    pub async fn ready(&self, active: &Active) -> Result<(), VersionError> {
        if active.code.is_loaded() || self.sandbox.is_at_hand(active.code.digest(), &active.limits) {
            return Ok(());
        }
        let component = self.store.component(active.version.clone()).await?;
        let component = component.ok_or_else(|| VersionError::Unknown(active.version.short().to_owned()))?;
        self.compile(component, active.limits).await.map(drop)
    }

    /// Has the code of this version in memory, so that the first event that it decides does not wait for that.
    ///
    /// # Errors
    /// As [`Versions::ready`].
    pub async fn warm(&self, active: &Arc<Active>) -> Result<(), VersionError> {
        self.ready(active).await?;
        let (sandbox, active) = (Arc::clone(&self.sandbox), Arc::clone(active));
        let loaded = tokio::task::spawn_blocking(move || sandbox.load(&active.code).map(drop)).await;
        Ok(loaded.expect("loading code does not panic")?)
    }

    async fn make(&self, kept: &KeptVersion) -> Result<Arc<Active>, VersionError> {
        let limits = kept.manifest.limits(&self.limits)?;
        let known = kept.component_sha256.as_ref();
        let code = match known.and_then(|digest| self.sandbox.code_at_hand(digest, &limits)) {
            Some(code) => code,
            None => {
                let component = self.store.component(kept.version.clone()).await?;
                self.compile(component.unwrap_or_default(), limits).await?
            }
        };
        self.hold(kept.version.clone(), &kept.manifest, limits, code)
    }

    async fn compile(&self, component: Vec<u8>, limits: Limits) -> Result<Code, VersionError> {
        let sandbox = Arc::clone(&self.sandbox);
        let compiled = tokio::task::spawn_blocking(move || sandbox.code_of(&component, &limits)).await;
        Ok(compiled.expect("compiling a component does not panic")?)
    }

    fn hold(
        &self,
        version: Version,
        manifest: &Manifest,
        limits: Limits,
        code: Code,
    ) -> Result<Arc<Active>, VersionError> {
        let active = Active {
            settings: manifest.settings.clone().into_iter().collect(),
            grants: manifest.grants(&self.secrets).map_err(ManifestError::Host)?,
            writes_back_to: manifest.writes_back_to().map_err(ManifestError::Host)?,
            limits,
            code,
            // After the others: what was refused has none.
            account: self.accounts.open(&manifest.name, &version),
            manifest: manifest.clone(),
            version,
        };
        Ok(self.alive.hold(active))
    }
}

impl Alive {
    fn find(&self, version: &Version) -> Option<Arc<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(version)?.upgrade()
    }

    /// Takes it, unless another has made it ready meanwhile; forgets it when nobody holds it any more.
    pub fn hold(&self, active: Active) -> Arc<Active> {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = alive.get(&active.version).and_then(Weak::upgrade) {
            return held;
        }
        alive.retain(|_, held| held.strong_count() > 0);
        let active = Arc::new(active);
        alive.insert(active.version.clone(), Arc::downgrade(&active));
        active
    }

    /// Which versions are in memory, by their plugins.
    #[must_use]
    pub fn versions(&self) -> Vec<(PluginName, Version)> {
        let alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = alive.values().filter_map(Weak::upgrade);
        held.map(|active| (active.manifest.name.clone(), active.version.clone())).collect()
    }
}
