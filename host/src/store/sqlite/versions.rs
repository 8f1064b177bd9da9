//! Versions and what is at work of each plugin, in the tables. Few rows, written when somebody deploys.

use super::queries::limit;
use super::seal::Sealing;
use crate::comparison::NewDrift;
use crate::deployment::{Action, Deployment};
use crate::plugin::{PluginName, Version};
use crate::store::Batch;
use crate::store::versions::{DriftRow, KeptVersion, NewVersion, VersionQuery, VersionState};
use anyhow::Context as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, Transaction, params};
use std::ops::DerefMut;
use tidegate_envelope::{Digest, Receipt};

const VERSION_COLUMNS: &str =
    "version, manifest, component_sha256, length(component), provenance, made_at_ms, state";
const DEPLOYMENT_COLUMNS: &str = "id, plugin, roles, action, who, why, at_ms";

/// Versions before the deployments that name them.
pub(super) fn write(db: &Sealing<'_>, batch: &Batch) -> anyhow::Result<()> {
    batch.versions.iter().try_for_each(|it| write_version(db, it)).context("write a version")?;
    let deployments = &mut batch.deployments.iter();
    deployments.try_for_each(|it| write_deployment(db, it)).context("write a deployment")?;
    for (version, state) in &batch.version_states {
        db.prepare_cached("UPDATE versions SET state = ?2 WHERE version = ?1")?
            .execute(params![version.as_str(), number_of(*state)])?;
    }
    batch.drifts.iter().try_for_each(|it| write_drift(db, it)).context("write a difference")
}

/// Nothing where the event is gone, or was erased meanwhile.
fn write_drift(db: &Sealing<'_>, new: &NewDrift) -> anyhow::Result<()> {
    let place = db
        .prepare_cached(
            "SELECT e.seq, v.id FROM events e, versions v WHERE e.receipt = ?1 AND e.erased_at_ms IS NULL AND v.version = ?2",
        )?
        .query_row(params![new.receipt.to_bytes(), new.version.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((event_seq, version_id)) = place.optional()? else { return Ok(()) };
    let (plugin, record) = (new.plugin.as_str(), serde_json::to_string(&new.drift)?);
    let row = [ValueRef::Integer(event_seq), plugin.into(), ValueRef::Integer(version_id)];
    db.prepare_cached(
        "INSERT INTO drifts (event_seq, plugin, version_id, record, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        event_seq,
        plugin,
        version_id,
        db.seal("drifts.record", &row, record.as_str())?,
        new.at_ms.cast_signed(),
    ])?;
    Ok(())
}

pub(super) fn drifts(db: &Connection, plugin: &PluginName, rows_max: usize) -> anyhow::Result<Vec<DriftRow>> {
    let sql = "SELECT e.receipt, e.subject, v.version,
                 unseal(d.record, 'drifts.record', d.event_seq, d.plugin, d.version_id), d.at_ms
               FROM drifts d JOIN events e ON e.seq = d.event_seq JOIN versions v ON v.id = d.version_id
               WHERE d.plugin = ?1 ORDER BY d.event_seq DESC LIMIT ?2";
    rows(db.prepare_cached(sql)?, params![plugin.as_str(), limit(rows_max)], |row| {
        Ok(DriftRow {
            receipt: Receipt::from_bytes(row.get(0)?),
            subject: row.get(1)?,
            version: Version::from_stored(row.get_ref(2)?.as_str()?),
            drift: serde_json::from_str(row.get_ref(3)?.as_str()?).context("read a difference")?,
            at_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        })
    })
}

fn write_version(db: &Transaction<'_>, new: &NewVersion) -> anyhow::Result<()> {
    db.prepare_cached(
        "INSERT INTO versions (version, plugin, manifest, component, component_sha256, provenance, made_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        new.version.as_str(),
        new.manifest.name.as_str(),
        serde_json::to_string(&new.manifest)?,
        new.component,
        Digest::of(&new.component).as_bytes(),
        serde_json::to_string(&new.provenance)?,
        new.made_at_ms.cast_signed(),
    ])?;
    Ok(())
}

fn write_deployment(db: &Transaction<'_>, deployment: &Deployment) -> anyhow::Result<()> {
    for version in deployment.roles.versions() {
        let is_known = db
            .prepare_cached("SELECT 1 FROM versions WHERE version = ?1 AND plugin = ?2")?
            .exists([version.as_str(), deployment.plugin.as_str()])?;
        anyhow::ensure!(is_known, "version {} of {} was never recorded", version.short(), deployment.plugin);
    }
    db.prepare_cached(
        "INSERT INTO deployments (plugin, roles, action, who, why, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        deployment.plugin.as_str(),
        serde_json::to_string(&deployment.roles)?,
        deployment.action.name(),
        deployment.who,
        deployment.why,
        deployment.at_ms.cast_signed(),
    ])?;
    Ok(())
}

pub(super) fn deployments(db: &Connection) -> anyhow::Result<Vec<Deployment>> {
    let sql = format!(
        "SELECT {DEPLOYMENT_COLUMNS} FROM deployments
         WHERE id IN (SELECT max(id) FROM deployments GROUP BY plugin) ORDER BY plugin"
    );
    rows(db.prepare_cached(&sql)?, &[], deployment)
}

pub(super) fn history(
    db: &Connection,
    plugin: &PluginName,
    rows_max: usize,
) -> anyhow::Result<Vec<Deployment>> {
    let sql =
        format!("SELECT {DEPLOYMENT_COLUMNS} FROM deployments WHERE plugin = ?1 ORDER BY id DESC LIMIT ?2");
    rows(db.prepare_cached(&sql)?, params![plugin.as_str(), limit(rows_max)], deployment)
}

pub(super) fn list(db: &Connection, query: &VersionQuery) -> anyhow::Result<Vec<KeptVersion>> {
    let sql = format!(
        "SELECT {VERSION_COLUMNS} FROM versions
         WHERE plugin = ?1 AND (?2 IS NULL OR substr(version, 1, length(?2)) = ?2) ORDER BY id DESC LIMIT ?3"
    );
    let of = params![query.plugin.as_str(), query.prefix, limit(query.rows_max)];
    rows(db.prepare_cached(&sql)?, of, kept_version)
}

pub(super) fn kept(db: &Connection, versions: &[Version]) -> anyhow::Result<Vec<KeptVersion>> {
    let sql = format!("SELECT {VERSION_COLUMNS} FROM versions WHERE version = ?1");
    let mut found = Vec::new();
    for version in versions {
        found.extend(rows(db.prepare_cached(&sql)?, params![version.as_str()], kept_version)?);
    }
    Ok(found)
}

pub(super) fn component(db: &Connection, version: &Version) -> anyhow::Result<Option<Vec<u8>>> {
    let mut statement = db.prepare_cached("SELECT component FROM versions WHERE version = ?1")?;
    Ok(statement.query_row([version.as_str()], |row| row.get(0)).optional()?)
}

fn rows<'a, T>(
    mut statement: impl DerefMut<Target = Statement<'a>>,
    of: &[&dyn rusqlite::ToSql],
    read: impl Fn(&Row<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let (mut rows, mut all) = (statement.query(of)?, Vec::new());
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn deployment(row: &Row<'_>) -> anyhow::Result<Deployment> {
    let action = row.get_ref(3)?.as_str()?;
    Ok(Deployment {
        id: row.get(0)?,
        plugin: PluginName::new(row.get_ref(1)?.as_str()?)?,
        roles: serde_json::from_str(row.get_ref(2)?.as_str()?).context("read what was at work")?,
        action: Action::named(action)
            .with_context(|| format!("read a deployment: `{action}` is no action"))?,
        who: row.get(4)?,
        why: row.get(5)?,
        at_ms: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}

fn kept_version(row: &Row<'_>) -> anyhow::Result<KeptVersion> {
    let provenance: Option<String> = row.get(4)?;
    Ok(KeptVersion {
        version: Version::from_stored(row.get_ref(0)?.as_str()?),
        manifest: serde_json::from_str(row.get_ref(1)?.as_str()?).context("read a stored manifest")?,
        component_sha256: row.get::<_, Option<[u8; 32]>>(2)?.map(Digest::from_bytes),
        component_bytes: row.get::<_, i64>(3)?.cast_unsigned(),
        provenance: match provenance {
            Some(text) => serde_json::from_str(&text).context("read where a version comes from")?,
            None => crate::store::versions::Provenance::default(),
        },
        made_at_ms: row.get::<_, i64>(5)?.cast_unsigned(),
        state: match row.get(6)? {
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
