//! What is on this machine: the data directory, the store, limits.

use super::Patient;
use super::finding::Finding;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate::machine::{self, Disk};
use tidegate::store::postgres;
use tidegate::store::seal::StoreKeys;
use tidegate::store::sqlite::inspect::{self, Looked, SCHEMA};

/// How long the store is read through.
const STORE_MAX: Duration = Duration::from_secs(10);
/// Files that may be open: below the first a busy host fails, below the second there is little room.
const FILES_PROBLEM: u64 = 256;
const FILES_WARNING: u64 = 1_024;

pub(super) async fn data(patient: Arc<Patient>) -> Vec<Finding> {
    const CHECK: &str = "data";
    let data = &patient.data;
    if !data.is_dir() {
        let fix = format!("install -d -m 700 {}", data.display());
        let what = format!("the data directory {} is not there yet", data.display());
        return vec![Finding::warning(CHECK, what, fix)];
    }
    let mut findings = vec![match tempfile::Builder::new().prefix(".doctor").tempfile_in(data) {
        Ok(_) => Finding::ok(CHECK, format!("{} can be written", data.display())),
        Err(error) => Finding::problem(
            CHECK,
            format!("{} cannot be written: {error}", data.display()),
            format!("chown -R tidegate: {}   # the user that the host runs as", data.display()),
        ),
    }];
    findings.push(disk(data, patient.config.alerts.disk_percent_max));
    findings
}

fn disk(data: &Path, percent_max: u64) -> Finding {
    const CHECK: &str = "data";
    let fix = "Make room, or keep less: set retention.days in tidegate.toml and start the host again";
    match Disk::of(data) {
        Err(error) => Finding::problem(CHECK, format!("{error:#}"), fix),
        Ok(disk) => {
            let (used, free) = (disk.used_percent(), disk.free_bytes >> 20);
            let what = format!("its disk is {used} % full, {free} MiB are free");
            let bound = if percent_max == 0 { 100 } else { percent_max };
            if used >= 100 {
                Finding::problem(CHECK, what, fix)
            } else if used > bound {
                Finding::warning(
                    CHECK,
                    format!("{what}: more than alerts.disk_percent_max = {percent_max}"),
                    fix,
                )
            } else {
                Finding::ok(CHECK, what)
            }
        }
    }
}

pub(super) async fn store(patient: Arc<Patient>) -> Vec<Finding> {
    const CHECK: &str = "store";
    let (key, old) = (Patient::secret("TIDEGATE_STORE_KEY"), Patient::secret("TIDEGATE_STORE_KEY_OLD"));
    let keys = match StoreKeys::parse(key.as_deref(), old.as_deref()) {
        Ok(keys) => keys,
        Err(error) => {
            let fix =
                "export TIDEGATE_STORE_KEY=...   # 32 bytes in base64, as `tidegate store key` prints them";
            return vec![Finding::problem(CHECK, format!("{error:#}"), fix)];
        }
    };
    let url = patient.config.store.url.clone();
    if !url.is_empty() {
        return vec![database(url, keys).await];
    }
    let looking = tokio::task::spawn_blocking(move || inspect::look(&patient.data, &keys, STORE_MAX));
    let looked = looking.await.expect("looking at the store does not panic");
    let restore = "tidegate restore FILE --force   # the last file that `tidegate backup` wrote";
    vec![match looked {
        Err(error) => Finding::problem(CHECK, format!("{error:#}"), restore),
        Ok(Looked::Nothing) => Finding::ok(CHECK, "there is no store yet: the first start makes it"),
        Ok(Looked::Newer { schema }) => Finding::problem(
            CHECK,
            format!("it has schema {schema}, this tidegate knows up to {}", SCHEMA),
            "Use the newer tidegate that wrote it, or restore a backup from before: docs/upgrade.md",
        ),
        Ok(Looked::Locked { why }) => {
            Finding::problem(CHECK, why, "export TIDEGATE_STORE_KEY=...   # the key it was encrypted with")
        }
        Ok(Looked::Broken { what }) => Finding::problem(CHECK, format!("it is damaged: {what}"), restore),
        Ok(Looked::Unfinished { schema, bytes }) => Finding::ok(
            CHECK,
            format!("schema {schema}, {} MiB: too large to be read through here; a backup does", bytes >> 20),
        ),
        Ok(Looked::Well { schema, bytes, events }) => {
            Finding::ok(CHECK, format!("schema {schema}, {events} events, {} MiB, undamaged", bytes >> 20))
        }
    }]
}

/// A store in PostgreSQL: a host may be at work on it meanwhile.
async fn database(url: String, keys: StoreKeys) -> Finding {
    const CHECK: &str = "store";
    let password = Patient::secret("TIDEGATE_STORE_PASSWORD");
    let looking =
        tokio::task::spawn_blocking(move || postgres::inspect::look(&url, password.as_deref(), &keys));
    match looking.await.expect("looking at the store does not panic") {
        Err(error) => Finding::problem(
            CHECK,
            format!("{error:#}"),
            "Set store.url in tidegate.toml and TIDEGATE_STORE_PASSWORD; `psql` with the same URL tells more",
        ),
        Ok(None) => Finding::ok(CHECK, "the database answers and is empty: the first start makes its tables"),
        Ok(Some(found)) => Finding::ok(
            CHECK,
            format!("{}, schema {}, {} MiB", found.server, found.schema, found.bytes >> 20),
        ),
    }
}

pub(super) async fn machine(patient: Arc<Patient>) -> Vec<Finding> {
    const CHECK: &str = "machine";
    let mut findings = Vec::new();
    let files = machine::open_files_max();
    let what = files.map_or_else(
        || "any number of files may be open".into(),
        |files| format!("{files} files may be open"),
    );
    let fix = "ulimit -n 65536   # in a unit of systemd: LimitNOFILE=65536";
    findings.push(match files.unwrap_or(u64::MAX) {
        0..FILES_PROBLEM => Finding::problem(CHECK, what, fix),
        FILES_PROBLEM..FILES_WARNING => Finding::warning(CHECK, what, fix),
        _ => Finding::ok(CHECK, what),
    });
    let config = &patient.config;
    let instances = u64::from(config.sandbox.instances_max);
    let each = u64::try_from(config.limits.memory_bytes).unwrap_or(u64::MAX);
    let most = instances
        .saturating_mul(each)
        .saturating_add(config.store.subjects_bytes_max.try_into().unwrap_or(0));
    if let Some(there) = machine::memory_bytes() {
        let what = format!(
            "plugins may take {} MiB (sandbox.instances_max x limits.memory_bytes, and store.subjects_bytes_max); {} MiB are there",
            most >> 20,
            there >> 20
        );
        let fits = there / each.max(1) / 2;
        findings.push(if most > there {
            Finding::warning(
                CHECK,
                what,
                format!("Set sandbox.instances_max = {} in tidegate.toml", fits.max(1)),
            )
        } else {
            Finding::ok(CHECK, what)
        });
    }
    findings
}
