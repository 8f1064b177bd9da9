-- Where versions come from, as JSON, when they were recorded, and their component's hash (NULL in what an older Tidegate
-- recorded). A version in state 0 may be asked, one that was withdrawn (1) or retired (2) decides nothing more.
ALTER TABLE versions ADD COLUMN provenance TEXT;
ALTER TABLE versions ADD COLUMN made_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN component_sha256 BLOB;
ALTER TABLE versions ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
UPDATE versions SET made_at_ms = coalesce((SELECT min(deployed_at_ms) FROM deployments WHERE version_id = versions.id), 0);
CREATE INDEX versions_by_plugin ON versions (plugin, id);

-- What was at work of each plugin from when on: the newest row of a plugin holds, all of them are the history.
ALTER TABLE deployments RENAME TO deployments_before;
CREATE TABLE deployments (
    id     INTEGER PRIMARY KEY,
    plugin TEXT    NOT NULL,
    -- Which version has which role, as JSON.
    roles  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    who    TEXT    NOT NULL,
    why    TEXT,
    at_ms  INTEGER NOT NULL
);
INSERT INTO deployments (id, plugin, roles, action, who, at_ms)
SELECT d.id, d.plugin, json_object('active', v.version), 'deploy', '', d.deployed_at_ms
FROM deployments_before d JOIN versions v ON v.id = d.version_id;
DROP TABLE deployments_before;
CREATE INDEX deployments_by_plugin ON deployments (plugin, id);

-- The version that a waiting plan is asked of, whatever is at work by then; NULL while it was asked of none.
ALTER TABLE plans ADD COLUMN pinned INTEGER;
UPDATE plans SET pinned = version_id WHERE state = 1 AND attempt > 0;
-- What the plugin remembered when it was asked, and what tells its answer from any other: so it can be asked again.
ALTER TABLE plans ADD COLUMN memory BLOB;
ALTER TABLE plans ADD COLUMN fingerprint BLOB;

-- Where another version would have decided otherwise, as JSON: nothing came of it.
CREATE TABLE drifts (
    event_seq  INTEGER NOT NULL,
    plugin     TEXT    NOT NULL,
    -- The version that would have.
    version_id INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (event_seq, plugin, version_id)
) WITHOUT ROWID;
CREATE INDEX drifts_by_plugin ON drifts (plugin, event_seq);

-- When the body and all that was made of it were erased, because a person named in it was to be forgotten.
ALTER TABLE events ADD COLUMN erased_at_ms INTEGER;

-- What was done at a person's word that no event tells of. A row stays. Names are never in it.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    record TEXT    NOT NULL
);

-- The keys that something in this file is encrypted with, by their fingerprints: that one is missing is noticed at the start.
CREATE TABLE store_keys (fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
