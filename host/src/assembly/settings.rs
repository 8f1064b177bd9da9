//! What the configuration says, as each part takes it.

use anyhow::Context as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use tidegate::condition::Bounds;
use tidegate::config::Config;
use tidegate::config::given::GivenCertificate;
use tidegate::effect::EffectLimits;
use tidegate::executor::{ClientCertificate, ExecutorConfig, secret};
use tidegate::gate::GateBounds;
use tidegate::pipeline::PipelineBounds;
use tidegate::plan::{DecisionLimits, PlanRules};
use tidegate::poll::PollPolicy;
use tidegate::pump::{InFlight, PumpBounds};
use tidegate::retry::RetryPolicy;
use tidegate::rollout::RolloutRules;
use tidegate::sandbox::SandboxConfig;
use tidegate::sandbox::compiler::Compiler;
use tidegate::vigil::VigilRules;

pub(super) fn sandbox_config(config: &Config, data: &Path) -> anyhow::Result<SandboxConfig> {
    Ok(SandboxConfig {
        instances_max: config.sandbox.instances_max,
        loaded_max: config.sandbox.loaded_max,
        compiler: Compiler::this_program().context("find this program, which compiles")?,
        compile_time_ms_max: config.sandbox.compile_time_ms_max,
        compile_memory_bytes_max: config.sandbox.compile_memory_bytes_max,
        memory_bytes_max: config.limits.memory_bytes,
        table_elements_max: config.limits.table_elements,
        wall_time_ms_max: config.limits.wall_time_ms,
        ..SandboxConfig::new(data.join("compiled"))
    })
}

pub(super) const fn rollout_rules(config: &Config) -> RolloutRules {
    let rollout = &config.rollout;
    RolloutRules {
        window_ms: rollout.window_ms,
        asks_min: rollout.asks_min,
        faults_max: rollout.faults_max,
        canary_step_ms: rollout.canary_step_ms,
        canary_asks_min: rollout.canary_asks_min,
        canary_faults_max: rollout.canary_faults_max,
        canary_refusals_max: rollout.canary_refusals_max,
        canary_time_percent_max: rollout.canary_time_percent_max,
        canary_drift_max: rollout.canary_drift_max,
    }
}

pub(super) fn vigil_rules(config: &Config) -> VigilRules {
    VigilRules { silence_max_ms: Some(config.alerts.silence_max_ms).filter(|max_ms| *max_ms > 0) }
}

/// What is too much, of the host as a whole: 0 is without bound.
pub(super) fn condition_bounds(config: &Config) -> Bounds {
    let alerts = &config.alerts;
    let bound = |most: u64| Some(most).filter(|most| *most > 0);
    Bounds {
        waiting_ms: bound(alerts.waiting_ms_max),
        parked: alerts.parked_min.checked_sub(1),
        disk_percent: bound(alerts.disk_percent_max),
        store_bytes: bound(alerts.store_bytes_max),
        backlog: bound(alerts.backlog_max),
        host_gone_ms: bound(alerts.host_gone_ms_max),
    }
}

pub(super) fn pipeline_bounds(config: &Config) -> PipelineBounds {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    PipelineBounds {
        asking_max: if config.sandbox.asking_max == 0 { cores() } else { config.sandbox.asking_max },
        share_ms_max: config.sandbox.share_ms_max,
        effects_per_minute_max: config.decisions.effects_per_minute_max,
        subjects_bytes_max: config.store.subjects_bytes_max,
        recent_events_max: config.store.recent_events_max,
        fetching_max: config.edge.bodies_max,
    }
}

/// How often one token may ask the admin API within a second.
pub(super) fn per_second(config: &Config) -> NonZeroU32 {
    NonZeroU32::new(config.admin.requests_per_second).unwrap_or(NonZeroU32::MIN)
}

pub(super) const fn gate_bounds(config: &Config) -> GateBounds {
    GateBounds {
        events_max: config.gate.events_max,
        time_ms_max: config.gate.time_ms_max,
        faults_max: config.gate.faults_max,
        wall_time_percent_max: config.gate.wall_time_percent_max,
        memory_percent_max: config.gate.memory_percent_max,
    }
}

/// The rules that plans follow.
pub(crate) fn rules(config: &Config) -> PlanRules {
    PlanRules {
        retry: RetryPolicy { attempts_max: config.retry.asks_max, ..retry(config) },
        effect: EffectLimits::default(),
        decisions: DecisionLimits {
            wake_after_ms_max: config.decisions.wake_after_ms_max,
            memory_bytes_max: config.decisions.memory_bytes_max,
            chain_depth_max: config.decisions.chain_depth_max,
        },
    }
}

fn retry(config: &Config) -> RetryPolicy {
    RetryPolicy { first_ms: config.retry.first_ms, cap_ms: config.retry.cap_ms, factor: 2, attempts_max: 1 }
}

/// When effects and alerts are tried again.
pub(super) fn effects_retry(config: &Config) -> RetryPolicy {
    RetryPolicy { attempts_max: config.retry.effects_max, ..retry(config) }
}

/// How effects are performed: with these secrets, and never against what listens here.
pub(super) fn executor_config(
    config: &Config,
    secrets: secret::Secrets,
    own: Vec<SocketAddr>,
    certificates: Vec<GivenCertificate>,
) -> anyhow::Result<ExecutorConfig> {
    let ca_file = &config.executor.ca_file;
    let roots_pem = match ca_file.as_os_str().is_empty() {
        true => None,
        false => Some(read(ca_file).context("executor.ca_file")?),
    };
    let certificates = certificates.into_iter().map(|given| {
        let mut pem = read(&given.certificate).context("client_certificate_file in [[targets]]")?;
        pem.push(b'\n');
        pem.extend(read(&given.key).context("client_key_file in [[targets]]")?);
        Ok(ClientCertificate { host: given.host, pem })
    });
    Ok(ExecutorConfig {
        allow_loopback: config.executor.allow_loopback,
        own,
        deadline_ms: config.executor.deadline_ms,
        response_bytes_max: config.executor.response_bytes_max,
        retry_after_ms_max: config.executor.retry_after_ms_max,
        roots_pem,
        client_certificates: certificates.collect::<anyhow::Result<_>>()?,
        secrets,
        ..ExecutorConfig::default()
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// The bounds of so many pumps: together they hold what the operator allows.
pub(super) fn pump_bounds(config: &Config, pumps: usize) -> PumpBounds {
    PumpBounds {
        in_flight: InFlight::new(config.pump.in_flight_max, pumps),
        batch_max: config.queue.batch_max,
        poll: PollPolicy { busy_ms: config.pump.poll_busy_ms, idle_ms: config.pump.poll_idle_ms, factor: 2 },
        permanent_retry_ms: config.pump.poll_idle_ms,
    }
}
