CREATE TABLE events (
    seq            INTEGER PRIMARY KEY,
    receipt        BLOB    NOT NULL UNIQUE,
    source         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    duplicate_of   BLOB,
    state          INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    queued_at_ms   INTEGER NOT NULL,
    pulled_at_ms   INTEGER NOT NULL,
    decided_at_ms  INTEGER NOT NULL,
    content_type   TEXT,
    sha256         BLOB    NOT NULL,
    body           BLOB    NOT NULL
);

-- One row for each plugin that wanted the event.
CREATE TABLE plans (
    event_seq     INTEGER NOT NULL,
    plugin        TEXT    NOT NULL,
    version_id    INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    asked_us      INTEGER NOT NULL,
    due_at_ms     INTEGER,
    why           TEXT,
    notes         TEXT,
    decided_at_ms INTEGER NOT NULL,
    PRIMARY KEY (event_seq, plugin)
) WITHOUT ROWID;
CREATE INDEX plans_waiting ON plans (due_at_ms) WHERE state = 1;
CREATE INDEX plans_parked ON plans (decided_at_ms) WHERE state = 2;

-- The outbox. A row stays after it was performed: it is the effect's history.
CREATE TABLE effects (
    seq       INTEGER PRIMARY KEY,
    event_seq INTEGER NOT NULL,
    plugin    TEXT    NOT NULL,
    record    TEXT    NOT NULL,
    state     INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL,
    what      TEXT,
    at_ms     INTEGER
);
CREATE INDEX effects_by_event ON effects (event_seq);
CREATE INDEX effects_waiting ON effects (due_at_ms, seq) WHERE state = 1;
CREATE INDEX effects_parked ON effects (at_ms) WHERE state = 2;

-- Deliveries that are no events, each kept once. Rare, so the hash that finds the next copy may be a key.
CREATE TABLE strays (
    seq          INTEGER PRIMARY KEY,
    sha256       BLOB    NOT NULL UNIQUE,
    body         TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    pulled_at_ms INTEGER NOT NULL
);

CREATE TABLE versions (
    id        INTEGER PRIMARY KEY,
    version   TEXT NOT NULL UNIQUE,
    plugin    TEXT NOT NULL,
    manifest  TEXT NOT NULL,
    component BLOB NOT NULL
);

-- The newest row of a plugin names its active version.
CREATE TABLE deployments (
    id             INTEGER PRIMARY KEY,
    plugin         TEXT    NOT NULL,
    version_id     INTEGER NOT NULL,
    deployed_at_ms INTEGER NOT NULL
);
