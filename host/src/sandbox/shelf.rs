//! Compiled code in memory while it is in use: the code of many plugins is on disk, and of as many as were used last it is
//! mapped, too. Knows nothing of what compiles it.

use super::engine::Engines;
use super::{AdmissionError, Admitted, Occupancy, Prepared, Sandbox, admission};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tidegate_envelope::Digest;
use wasmtime::component::Component;

/// A plugin's compiled code: in memory, or to be found in the cache when it is needed next. Cheap to clone.
#[derive(Clone)]
pub struct Code(Arc<Kept>);

struct Kept {
    digest: Digest,
    is_metered: bool,
    prepared: Mutex<Option<Prepared>>,
    /// The shelf's time when it was used last.
    used: AtomicU64,
}

impl Code {
    fn new(digest: Digest, is_metered: bool, prepared: Option<Prepared>) -> Self {
        let prepared = Mutex::new(prepared);
        Self(Arc::new(Kept { digest, is_metered, prepared, used: AtomicU64::default() }))
    }

    /// The SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// Whether it is in memory.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.0.prepared().is_some()
    }
}

/// Code that no shelf has: it stays in memory.
impl From<Prepared> for Code {
    fn from(prepared: Prepared) -> Self {
        Self::new(*prepared.digest(), false, Some(prepared))
    }
}

impl Kept {
    fn prepared(&self) -> std::sync::MutexGuard<'_, Option<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Code").field(&self.0.digest).finish()
    }
}

/// What is in memory.
#[derive(Default)]
pub(super) struct Shelf {
    codes: Mutex<Vec<Weak<Kept>>>,
    /// Counts what was loaded: what was used since the last time is as good as any other.
    time: AtomicU64,
}

impl Shelf {
    /// A place for this code, which is loaded when it is asked for first.
    pub(super) fn place(&self, digest: Digest, is_metered: bool, prepared: Option<Prepared>) -> Code {
        let code = Code::new(digest, is_metered, prepared);
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|kept| kept.strong_count() > 0);
        codes.push(Arc::downgrade(&code.0));
        code
    }

    /// Those that are in memory. One that is being loaded is waited for.
    fn loaded(&self) -> Vec<Arc<Kept>> {
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<_> = codes.iter().filter_map(Weak::upgrade).collect();
        drop(codes);
        kept.into_iter().filter(|kept| kept.prepared().is_some()).collect()
    }

    /// Drops from memory what was not used for longest, until at most so many are. Whoever runs one keeps it until it ends.
    fn make_room(&self, loaded_max: usize) {
        let mut loaded = self.loaded();
        if loaded.len() <= loaded_max {
            return;
        }
        loaded.sort_by_key(|kept| kept.used.load(Ordering::Relaxed));
        for kept in loaded.iter().take(loaded.len() - loaded_max) {
            *kept.prepared() = None;
        }
    }
}

impl Sandbox {
    /// What is in it now.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let metered = self.metered.get().map_or(0, |engines| engines.instances());
        let codes_loaded = u64::try_from(self.shelf.loaded().len()).unwrap_or(u64::MAX);
        Occupancy { instances: self.plain.instances() + metered, codes_loaded }
    }

    /// The code in memory, loaded from the cache when it is not.
    ///
    /// # Errors
    /// When the cache has lost it: [`Sandbox::prepare_for`] compiles it again.
    pub fn load(&self, code: &Code) -> Result<Prepared, AdmissionError> {
        let now = self.shelf.time.load(Ordering::Relaxed);
        code.0.used.store(now, Ordering::Relaxed);
        let mut prepared = code.0.prepared();
        if let Some(prepared) = &*prepared {
            return Ok(prepared.clone());
        }
        let loaded = self.find(&code.0.digest, code.0.is_metered)?;
        *prepared = Some(loaded.clone());
        drop(prepared);
        code.0.used.store(self.shelf.time.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.shelf.make_room(self.config.loaded_max);
        Ok(loaded)
    }

    /// Compiled code, checked once for each engine.
    pub(super) fn admit(
        &self,
        digest: Digest,
        engines: Arc<Engines>,
        compiled: &[Component],
    ) -> Result<Prepared, AdmissionError> {
        let handlers = compiled.iter().map(|component| admission::admit(component, &self.config));
        let handlers = handlers.collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared(Arc::new(Admitted { digest, engines, handlers })))
    }
}
