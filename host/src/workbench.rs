//! An author's plugin on a bench: asked about files of events, judged as the host would judge it, on this machine
//! alone. Knows nothing of queues, stores and running hosts, and performs nothing.

pub mod anatomy;
pub mod case;
pub mod memory;
pub mod package;
pub mod said;
pub mod site;
pub mod template;
pub mod told;
pub mod trial;

use crate::account::Account;
use crate::effect::secret::NamedSecret;
use crate::event::Event;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::log::Log;
use crate::plan::{self, Asked, Asking, Granted, PlanRules, Verdict};
use crate::plugin::{Manifest, ManifestError, Version};
use crate::registry::Active;
use crate::sandbox::compiler::Compiler;
use crate::sandbox::{AdmissionError, Answer, Call, Prepared, Question, Sandbox, SandboxConfig, Usage};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many instances [`Workbench::at_once`] holds, and so places for them.
pub const AT_ONCE: u32 = 64;

/// What the operator allows, as far as it matters to a plugin.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The most that a manifest may ask for.
    pub limits: Limits,
    /// The rules that the host's plans follow.
    pub rules: PlanRules,
    /// The secrets that the operator named: their names and hosts, not their values.
    pub secrets: Arc<[NamedSecret]>,
    /// Where compiled code is kept.
    pub cache_dir: PathBuf,
    /// Who compiles.
    pub compiler: Compiler,
    /// Time on the processor that compiling may take there, in milliseconds.
    pub compile_time_ms_max: u64,
    /// Bytes of memory that compiling may take there.
    pub compile_memory_bytes_max: usize,
}

/// Why a plugin cannot be put on the bench.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The manifest was refused.
    #[error("{0}")]
    Manifest(ManifestError),
    /// The component was refused.
    #[error("{0}\nwhat it means: tidegate plugin explain {name}", name = .0.trouble().name())]
    Component(AdmissionError),
    /// This machine cannot run a sandbox.
    #[error("{0:#}")]
    Sandbox(anyhow::Error),
}

/// Whole in the error's own text, so none is its source: a chain would say it twice.
impl From<ManifestError> for OpenError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl From<AdmissionError> for OpenError {
    fn from(error: AdmissionError) -> Self {
        Self::Component(error)
    }
}

/// One plugin, compiled, with what it may cause.
pub struct Workbench {
    sandbox: Sandbox,
    active: Active,
    prepared: Prepared,
    rules: PlanRules,
}

/// One answer, and what it cost.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What the plugin said.
    pub answer: Answer,
    /// What it used.
    pub usage: Usage,
    /// What it wrote.
    pub log: Log,
    /// How long the call took, its fresh instance included.
    pub took: Duration,
}

/// What a host would do about an answer.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What comes of the whole of it.
    pub verdict: Verdict,
    /// What would become of each decision by itself.
    pub decisions: Vec<Result<Granted, Fault>>,
}

impl Workbench {
    /// Compiles the component, or finds its compiled code, and grants what the manifest asks for.
    ///
    /// # Errors
    /// As deploying it would be refused.
    pub fn open(manifest: Manifest, component: &[u8], bounds: &Bounds) -> Result<Self, OpenError> {
        let limits = manifest.limits(&bounds.limits)?;
        let grants = manifest.grants(&bounds.secrets).map_err(ManifestError::Host)?;
        let sandbox = sandbox(bounds)?;
        let prepared = sandbox.prepare_for(component, &limits)?;
        let version = Version::of(component, &manifest);
        let active = Active {
            account: Arc::new(Account::new(manifest.name.clone(), version.clone())),
            version,
            grants,
            writes_back_to: manifest.writes_back_to().map_err(ManifestError::Host)?,
            settings: manifest.settings.clone().into_iter().collect(),
            limits,
            code: prepared.clone().into(),
            manifest,
        };
        Ok(Self { sandbox, active, prepared, rules: bounds.rules })
    }

    /// The plugin.
    #[must_use]
    pub const fn plugin(&self) -> &Active {
        &self.active
    }

    /// Bytes of this machine's memory that [`AT_ONCE`] instances hold of their own, each after this event.
    ///
    /// # Errors
    /// When an instance breaks a limit, or the machine does not say what memory this process has.
    pub fn at_once(&self, event: &Event) -> anyhow::Result<usize> {
        let question = Question { event, attempt: 1, settings: &self.active.settings, memory: None };
        memory::at_once(&self.sandbox, &self.prepared, &question, &self.active.limits, AT_ONCE)
    }

    /// Asks it about an event for the first time, in a fresh instance.
    #[must_use]
    pub fn ask(&self, event: &Event) -> Measured {
        let question = Question { event, attempt: 1, settings: &self.active.settings, memory: None };
        let began = Instant::now();
        let Call { answer, usage, log } = self.sandbox.call(&self.prepared, &question, &self.active.limits);
        Measured { answer, usage, log, took: began.elapsed() }
    }

    /// What an instance uses before it is asked.
    ///
    /// # Errors
    /// When it cannot even start within its limits.
    pub fn at_rest(&self) -> Result<Usage, Fault> {
        self.sandbox.at_rest(&self.prepared, &self.active.limits)
    }

    /// What a host with these grants and rules would do about the answer.
    #[must_use]
    pub fn judge(&self, event: &Event, answer: &Answer) -> Judged {
        let asked = Asked {
            event,
            active: &self.active,
            attempt: 1,
            asked_us: 0,
            memory: None,
            answer: answer.clone(),
            log: Log::default(),
            now_ms: event.received_at_ms,
            // In the middle of what chance could give.
            jitter: 0.5,
        };
        let decided = answer.as_ref().ok().and_then(|said| said.as_ref().ok());
        let asking = Asking { event, active: &self.active, rules: &self.rules, now_ms: event.received_at_ms };
        let grants = decided
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(position, decision)| asking.grant(position, decision));
        Judged { decisions: grants.collect(), verdict: plan::plan(asked, &self.rules).verdict }
    }
}

/// A sandbox as the host makes it, less its width.
fn sandbox(bounds: &Bounds) -> Result<Sandbox, OpenError> {
    let config = SandboxConfig {
        engines: 1,
        instances_max: AT_ONCE,
        compiler: bounds.compiler.clone(),
        compile_time_ms_max: bounds.compile_time_ms_max,
        compile_memory_bytes_max: bounds.compile_memory_bytes_max,
        memory_bytes_max: bounds.limits.memory_bytes,
        table_elements_max: bounds.limits.table_elements,
        wall_time_ms_max: bounds.limits.wall_time_ms,
        ..SandboxConfig::new(bounds.cache_dir.clone())
    };
    Sandbox::new(config).map_err(OpenError::Sandbox)
}
