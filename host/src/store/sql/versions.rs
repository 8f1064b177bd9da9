//! Versions and what is at work of each plugin, in the tables. Few rows, written when somebody deploys.

use super::database::{Cell, Database, Row, cells};
use crate::comparison::NewDrift;
use crate::deployment::{Action, Deployment};
use crate::plugin::{PluginName, Version};
use crate::store::Batch;
use crate::store::versions::{DriftRow, KeptVersion, NewVersion, VersionQuery, VersionState};
use anyhow::Context as _;
use tidegate_envelope::Digest;

const VERSION_COLUMNS: &str =
    "version, manifest, component_sha256, length(component), provenance, made_at_ms, state";
const DEPLOYMENT_COLUMNS: &str = "id, plugin, roles, action, who, why, at_ms";

/// Versions before the deployments that name them.
pub(super) fn write(db: &dyn Database, batch: &Batch) -> anyhow::Result<()> {
    batch.versions.iter().try_for_each(|it| write_version(db, it)).context("write a version")?;
    let deployments = &mut batch.deployments.iter();
    deployments.try_for_each(|it| write_deployment(db, it)).context("write a deployment")?;
    for (version, state) in &batch.version_states {
        db.execute("UPDATE versions SET state = ?2 WHERE version = ?1", cells![version, number_of(*state)])?;
    }
    batch.drifts.iter().try_for_each(|it| write_drift(db, it)).context("write a difference")
}

/// Nothing where the event is gone, or was erased meanwhile.
fn write_drift(db: &dyn Database, new: &NewDrift) -> anyhow::Result<()> {
    let sql = "SELECT e.seq, v.id FROM events e, versions v
               WHERE e.receipt = ?1 AND e.erased_at_ms IS NULL AND v.version = ?2";
    let place = db.optional(sql, cells![new.receipt, &new.version], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((event_seq, version_id)): Option<(i64, i64)> = place else { return Ok(()) };
    let record = serde_json::to_string(&new.drift)?;
    let record = db.seal("drifts.record", cells![event_seq, &new.plugin, version_id], record)?;
    db.execute(
        "INSERT INTO drifts (event_seq, plugin, version_id, record, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        cells![event_seq, &new.plugin, version_id, record, new.at_ms],
    )?;
    Ok(())
}

pub(super) fn drifts(
    db: &dyn Database,
    plugin: &PluginName,
    rows_max: usize,
) -> anyhow::Result<Vec<DriftRow>> {
    let sql = "SELECT e.receipt, e.subject, v.version,
                 unseal(d.record, 'drifts.record', d.event_seq, d.plugin, d.version_id), d.at_ms
               FROM drifts d JOIN events e ON e.seq = d.event_seq JOIN versions v ON v.id = d.version_id
               WHERE d.plugin = ?1 ORDER BY d.event_seq DESC LIMIT ?2";
    db.rows(sql, cells![plugin, rows_max], |row| {
        Ok(DriftRow {
            receipt: row.get(0)?,
            subject: row.get(1)?,
            version: row.get(2)?,
            drift: serde_json::from_str(&row.text(3)?).context("read a difference")?,
            at_ms: row.get(4)?,
        })
    })
}

fn write_version(db: &dyn Database, new: &NewVersion) -> anyhow::Result<()> {
    db.execute("INSERT INTO versions (version, plugin, manifest, component, component_sha256, provenance, made_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING", cells![
        &new.version,
        &new.manifest.name,
        serde_json::to_string(&new.manifest)?,
        new.component.as_slice(),
        Digest::of(&new.component).as_bytes(),
        serde_json::to_string(&new.provenance)?,
        new.made_at_ms,
    ])?;
    Ok(())
}

fn write_deployment(db: &dyn Database, deployment: &Deployment) -> anyhow::Result<()> {
    for version in deployment.roles.versions() {
        let is_known = db.exists(
            "SELECT 1 FROM versions WHERE version = ?1 AND plugin = ?2",
            cells![version, &deployment.plugin],
        )?;
        anyhow::ensure!(is_known, "version {} of {} was never recorded", version.short(), deployment.plugin);
    }
    db.execute(
        "INSERT INTO deployments (plugin, roles, action, who, why, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        cells![
            &deployment.plugin,
            serde_json::to_string(&deployment.roles)?,
            deployment.action.name(),
            &deployment.who,
            deployment.why.as_ref(),
            deployment.at_ms,
        ],
    )?;
    Ok(())
}

pub(super) fn deployments(db: &dyn Database) -> anyhow::Result<Vec<Deployment>> {
    let sql = format!(
        "SELECT {DEPLOYMENT_COLUMNS} FROM deployments
         WHERE id IN (SELECT max(id) FROM deployments GROUP BY plugin) ORDER BY plugin"
    );
    db.rows(&sql, cells![], deployment)
}

pub(super) fn history(
    db: &dyn Database,
    plugin: &PluginName,
    rows_max: usize,
) -> anyhow::Result<Vec<Deployment>> {
    let sql =
        format!("SELECT {DEPLOYMENT_COLUMNS} FROM deployments WHERE plugin = ?1 ORDER BY id DESC LIMIT ?2");
    db.rows(&sql, cells![plugin, rows_max], deployment)
}

pub(super) fn list(db: &dyn Database, query: &VersionQuery) -> anyhow::Result<Vec<KeptVersion>> {
    let sql = format!(
        "SELECT {VERSION_COLUMNS} FROM versions
         WHERE plugin = ?1 AND (substr(version, 1, length(?2)) = ?2 OR ?2 IS NULL) ORDER BY id DESC LIMIT ?3"
    );
    let of = cells![&query.plugin, query.prefix.as_ref(), query.rows_max];
    db.rows(&sql, of, kept_version)
}

pub(super) fn kept(db: &dyn Database, versions: &[Version]) -> anyhow::Result<Vec<KeptVersion>> {
    let sql = format!("SELECT {VERSION_COLUMNS} FROM versions WHERE version IN rarray(?1)");
    db.rows(&sql, &[versions.iter().map(Cell::from).collect()], kept_version)
}

pub(super) fn component(db: &dyn Database, version: &Version) -> anyhow::Result<Option<Vec<u8>>> {
    db.value("SELECT component FROM versions WHERE version = ?1", cells![version])
}

fn deployment(row: &Row<'_>) -> anyhow::Result<Deployment> {
    let action = &row.text(3)?;
    Ok(Deployment {
        id: row.get(0)?,
        plugin: row.get(1)?,
        roles: serde_json::from_str(&row.text(2)?).context("read what was at work")?,
        action: Action::named(action)
            .with_context(|| format!("read a deployment: `{action}` is no action"))?,
        who: row.get(4)?,
        why: row.get(5)?,
        at_ms: row.get(6)?,
    })
}

fn kept_version(row: &Row<'_>) -> anyhow::Result<KeptVersion> {
    Ok(KeptVersion {
        version: row.get(0)?,
        manifest: serde_json::from_str(&row.text(1)?).context("read a stored manifest")?,
        component_sha256: row.get(2)?,
        component_bytes: row.get(3)?,
        provenance: row.json(4).context("read where a version comes from")?.unwrap_or_default(),
        made_at_ms: row.get(5)?,
        state: match row.get::<i64>(6)? {
            0 => VersionState::Usable,
            1 => VersionState::Withdrawn,
            _ => VersionState::Retired,
        },
    })
}

const fn number_of(state: VersionState) -> i64 {
    match state {
        VersionState::Usable => 0,
        VersionState::Withdrawn => 1,
        VersionState::Retired => 2,
    }
}
