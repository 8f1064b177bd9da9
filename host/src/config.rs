//! What the operator sets. Parsed once, at start, into a value that cannot be wrong; a typo has an address.

pub mod given;
pub mod others;
pub mod reload;
pub mod signal;
#[cfg(test)]
mod tests;

use crate::deployment::Share;
use crate::effect::secret::is_secure;
use crate::gate::GateBounds;
use crate::limits::Limits;
use crate::pipeline::PipelineBounds;
use crate::plan::DecisionLimits;
use crate::rollout::RolloutRules;
use anyhow::Context as _;
use others::Others;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use signal::LogFormat;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tidegate_envelope::SourceName;

/// Every key with its default and its meaning.
pub const DEFAULT_TOML: &str = include_str!("../tidegate.default.toml");

/// Before each key in the environment.
const ENV_PREFIX: &str = "TIDEGATE_";
/// Any free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Variables of other meaning that share the prefix: secrets, tools, and options of the command line.
const ENV_OTHERS: [&str; 13] = [
    "QUEUE_TOKEN",
    "EDGE_TOKEN",
    "ALERTS_SECRET",
    "STORE_KEY",
    "STORE_KEY_OLD",
    "STORE_PASSWORD",
    "DATA",
    "CONFIG",
    "WORKERD",
    "TOOLS",
    "HOST",
    "HOST_CA",
    "ADMIN_TOKEN",
];

/// Variables whose names an operator chose for the values of `[[secrets]]`.
const ENV_SECRETS: &str = "SECRET_";

macro_rules! sections {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $default:expr),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[expect(missing_docs, reason = "tidegate.default.toml documents each key once, where operators read it")]
        pub struct $name { $(pub $field: $type),* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }
    )* };
}

sections! {
    /// All that `tidegate.toml` says, section by section. `tidegate.default.toml` explains each key.
    Config {
        secrets: Vec<SecretSection> = Vec::new(),
        targets: Vec<TargetSection> = Vec::new(),
        queue: QueueSection = QueueSection::default(),
        edge: EdgeSection = EdgeSection::default(),
        alerts: AlertsSection = AlertsSection::default(),
        pump: PumpSection = PumpSection::default(),
        admin: AdminSection = AdminSection::default(),
        store: StoreSection = StoreSection::default(),
        retention: RetentionSection = RetentionSection::default(),
        sandbox: SandboxSection = SandboxSection::default(),
        limits: Limits = Limits::default(),
        decisions: DecisionsSection = DecisionsSection::default(),
        rollout: RolloutSection = RolloutSection::default(),
        gate: GateSection = GateSection::default(),
        retry: RetrySection = RetrySection::default(),
        executor: ExecutorSection = ExecutorSection::default(),
        plugins: PluginsSection = PluginsSection::default(),
        telemetry: TelemetrySection = TelemetrySection::default(),
        log: LogSection = LogSection::default(),
        dev: DevSection = DevSection::default(),
    }
    /// The queue that events are pulled from.
    QueueSection {
        base_url: String = "https://api.cloudflare.com/client/v4".into(),
        account_id: String = String::new(),
        queue_id: String = String::new(),
        more_queue_ids: Vec<String> = Vec::new(),
        visibility_timeout_ms: u64 = 60_000,
        batch_max: usize = 100,
    }
    /// The Worker, as the host speaks to it.
    EdgeSection { url: String = String::new(), poll_ms: u64 = 10_000, bodies_max: usize = PipelineBounds::default().fetching_max }
    /// Where the operator is told when a source is in trouble.
    AlertsSection {
        url: String = String::new(),
        silence_max_ms: u64 = 0,
        waiting_ms_max: u64 = 300_000,
        parked_min: u64 = 1,
        disk_percent_max: u64 = 90,
        store_bytes_max: u64 = 0,
        backlog_max: u64 = 10_000,
        host_gone_ms_max: u64 = 30_000,
        look_ms: u64 = 10_000,
    }
    /// How fast it is pulled.
    PumpSection { in_flight_max: usize = 1_000, poll_busy_ms: u64 = 250, poll_idle_ms: u64 = 30_000 }
    /// The admin API.
    AdminSection {
        listen: SocketAddr = LOOPBACK,
        certificate_file: PathBuf = PathBuf::new(),
        key_file: PathBuf = PathBuf::new(),
        is_behind_proxy: bool = false,
        requests_per_second: u32 = 200,
    }
    /// The store.
    StoreSection {
        url: String = String::new(),
        others: Others = Others::Refuse,
        host: String = String::new(),
        recent_events_max: usize = PipelineBounds::default().recent_events_max,
        subjects_bytes_max: usize = PipelineBounds::default().subjects_bytes_max,
    }
    /// How long what was recorded is kept.
    RetentionSection { days: u32 = 0, bytes: u64 = 0, sources: Vec<SourceRetention> = Vec::new() }
    /// The sandbox.
    SandboxSection {
        asking_max: usize = 0,
        share_ms_max: u64 = PipelineBounds::default().share_ms_max,
        instances_max: u32 = 64,
        loaded_max: usize = 256,
        compile_time_ms_max: u64 = 120_000,
        compile_memory_bytes_max: usize = 2 << 30,
    }
    /// What plugins may decide.
    DecisionsSection {
        wake_after_ms_max: u64 = DecisionLimits::default().wake_after_ms_max,
        memory_bytes_max: usize = DecisionLimits::default().memory_bytes_max,
        chain_depth_max: u32 = DecisionLimits::default().chain_depth_max,
        effects_per_minute_max: u32 = PipelineBounds::default().effects_per_minute_max,
    }
    /// When a version is taken out of work, and when a canary is given more.
    RolloutSection {
        window_ms: u64 = RolloutRules::default().window_ms,
        asks_min: u64 = RolloutRules::default().asks_min,
        faults_max: Share = RolloutRules::default().faults_max,
        canary_step_ms: u64 = RolloutRules::default().canary_step_ms,
        canary_asks_min: u64 = RolloutRules::default().canary_asks_min,
        canary_faults_max: Share = RolloutRules::default().canary_faults_max,
        canary_refusals_max: Share = RolloutRules::default().canary_refusals_max,
        canary_time_percent_max: u64 = RolloutRules::default().canary_time_percent_max,
        canary_drift_max: Share = RolloutRules::default().canary_drift_max,
    }
    /// What a version is asked before it goes to work.
    GateSection {
        events_max: usize = GateBounds::default().events_max,
        time_ms_max: u64 = GateBounds::default().time_ms_max,
        faults_max: u64 = GateBounds::default().faults_max,
        wall_time_percent_max: u64 = GateBounds::default().wall_time_percent_max,
        memory_percent_max: u64 = GateBounds::default().memory_percent_max,
    }
    /// When things are tried again.
    RetrySection { asks_max: u32 = 5, effects_max: u32 = 12, first_ms: u64 = 1_000, cap_ms: u64 = 3_600_000 }
    /// How effects are performed.
    ExecutorSection {
        allow_loopback: bool = false,
        in_flight_max: usize = 64,
        deadline_ms: u64 = 10_000,
        response_bytes_max: usize = 65_536,
        retry_after_ms_max: u64 = 3_600_000,
        ca_file: PathBuf = PathBuf::new(),
        target_in_flight_max: usize = 16,
        target_requests_per_second: u32 = 0,
        target_failures_max: u32 = 10,
        target_pause_ms: u64 = 1_000,
        target_pause_ms_max: u64 = 60_000,
    }
    /// A secret that plugins may name.
    SecretSection { name: String = String::new(), hosts: Vec<String> = Vec::new(), env: String = String::new() }
    /// What one target may be sent, where it is not what all may.
    TargetSection {
        host: String = String::new(),
        in_flight_max: Option<usize> = None,
        requests_per_second: Option<u32> = None,
        client_certificate_file: PathBuf = PathBuf::new(),
        client_key_file: PathBuf = PathBuf::new(),
    }
    /// Which versions are let in.
    PluginsSection {
        trusted_keys: Vec<String> = Vec::new(),
        signatures_required: bool = false,
        digests: Vec<String> = Vec::new(),
    }
    /// Where traces and metrics are sent.
    TelemetrySection {
        otlp_url: String = String::new(), sample_ratio: Share = Share::ALL, service_name: String = "tidegate".into(), metrics_ms: u64 = 15_000,
    }
    /// What the services say on standard error.
    LogSection { format: LogFormat = LogFormat::Human }
    /// `tidegate dev`.
    DevSection {
        request_listen: SocketAddr = LOOPBACK,
        queue_listen: SocketAddr = LOOPBACK,
        source: SourceName = SourceName::new("amj").expect("a valid name"),
        worker_build: PathBuf = PathBuf::from("worker/build"),
    }
}

/// How long what came from one source is kept: 0 is without end, and what is not said is not as usual but without end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "tidegate.default.toml documents each key once, where operators read it")]
pub struct SourceRetention {
    pub source: SourceName,
    #[serde(default)]
    pub days: u32,
    #[serde(default)]
    pub bytes: u64,
}

impl AdminSection {
    /// Whether it speaks TLS itself.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.certificate_file.as_os_str().is_empty()
    }
}

impl Config {
    /// The defaults, under the file if there is one, under the environment.
    ///
    /// # Errors
    /// When the file or a variable has a key that is unknown or a value that does not fit: says which, and on
    /// which line.
    pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut config = Self::default();
        if let Some(path) = path {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            config = toml::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        }
        let env: Vec<_> = env.collect();
        config.telemetry.take_standard(&env);
        let mut tables = toml::Table::try_from(&config).expect("a configuration is plain data");
        for (name, value) in env {
            override_from(&mut tables, &name, &value)?;
        }
        let config: Self = tables.try_into().context("read the TIDEGATE_ variables of the environment")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let rules = [
            (
                self.admin.listen.ip().is_loopback() || self.admin.has_tls() || self.admin.is_behind_proxy,
                "admin.listen is no loopback address, and tokens would travel in the clear: set admin.certificate_file and \
                 admin.key_file, or admin.is_behind_proxy when a proxy of yours does TLS",
            ),
            (
                self.admin.certificate_file.as_os_str().is_empty()
                    == self.admin.key_file.as_os_str().is_empty(),
                "admin.certificate_file and admin.key_file go together",
            ),
            (self.admin.requests_per_second > 0, "admin.requests_per_second must be at least 1"),
            ((1..=100).contains(&self.queue.batch_max), "queue.batch_max must be 1 to 100"),
            (
                (1_000..=43_200_000).contains(&self.queue.visibility_timeout_ms),
                "queue.visibility_timeout_ms must be 1000 to 43200000",
            ),
            ((100..=3_600_000).contains(&self.edge.poll_ms), "edge.poll_ms must be 100 to 3600000"),
            ((100..=3_600_000).contains(&self.alerts.look_ms), "alerts.look_ms must be 100 to 3600000"),
            (self.alerts.disk_percent_max <= 100, "alerts.disk_percent_max must be 0 to 100"),
            (self.edge.bodies_max > 0, "edge.bodies_max must be at least 1"),
            (self.pump.in_flight_max > 0, "pump.in_flight_max must be at least 1"),
            (self.executor.in_flight_max > 0, "executor.in_flight_max must be at least 1"),
            (self.executor.target_in_flight_max > 0, "executor.target_in_flight_max must be at least 1"),
            (self.executor.target_failures_max > 0, "executor.target_failures_max must be at least 1"),
            (
                (100..=3_600_000).contains(&self.executor.target_pause_ms),
                "executor.target_pause_ms must be 100 to 3600000",
            ),
            (
                self.executor.target_pause_ms <= self.executor.target_pause_ms_max,
                "executor.target_pause_ms_max must be at least executor.target_pause_ms",
            ),
            (
                self.decisions.effects_per_minute_max > 0,
                "decisions.effects_per_minute_max must be at least 1",
            ),
            (self.sandbox.instances_max > 0, "sandbox.instances_max must be at least 1"),
            (self.sandbox.loaded_max > 0, "sandbox.loaded_max must be at least 1"),
            (
                (1_000..=3_600_000).contains(&self.telemetry.metrics_ms),
                "telemetry.metrics_ms must be 1000 to 3600000",
            ),
            (
                self.store.others == Others::Refuse || !self.store.url.is_empty(),
                "store.others: there are others on a database alone; set store.url, too",
            ),
            (self.rollout.asks_min > 0, "rollout.asks_min must be at least 1"),
            (
                (1_000..=3_600_000).contains(&self.sandbox.compile_time_ms_max),
                "sandbox.compile_time_ms_max must be 1000 to 3600000",
            ),
            (
                self.retry.asks_max > 0 && self.retry.effects_max > 0,
                "retry.asks_max and effects_max must be at least 1",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => anyhow::bail!("{rule}"),
            None => {
                given::secrets(self)?;
                given::targets(self)?;
                given::trust(&self.plugins)?;
                Ok(())
            }
        }
    }
}

/// A URL that a secret may travel to: `https`, or `http` to this machine.
///
/// # Errors
/// When it is neither.
pub fn secure_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text)
        .with_context(|| format!("`{}` is no URL", text.chars().take(40).collect::<String>()))?;
    anyhow::ensure!(is_secure(&url), "it must be https, or http to this machine: secrets travel to it");
    Ok(url)
}

/// Sets `TIDEGATE_<SECTION>_<KEY>`. Other variables are left alone, unless they have the prefix: then they are typos.
fn override_from(tables: &mut toml::Table, name: &str, value: &str) -> anyhow::Result<()> {
    let is_other = |key: &str| ENV_OTHERS.contains(&key) || key.starts_with(ENV_SECRETS);
    let Some(key) = name.strip_prefix(ENV_PREFIX).filter(|key| !is_other(key)) else {
        return Ok(());
    };
    let found = tables.iter_mut().find_map(|(section, table)| {
        let key = key.strip_prefix(&section.to_uppercase())?.strip_prefix('_')?.to_lowercase();
        table.as_table_mut()?.get_mut(&key)
    });
    let Some(slot) = found else {
        anyhow::bail!(
            "{name} in the environment sets no key that exists: `tidegate config` prints all of them"
        );
    };
    *slot = match slot {
        toml::Value::String(_) => toml::Value::String(value.to_owned()),
        _ => toml::from_str::<toml::Table>(&format!("value = {value}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .with_context(|| {
                format!("{name} in the environment: `{value}` is not a number, a list, or true or false")
            })?,
    };
    Ok(())
}
