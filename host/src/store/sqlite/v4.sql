-- How the event stood to those before it: 0 first, 1 duplicate, 2 stale, 3 conflict, 4 after-delete, 5 echo.
ALTER TABLE events ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0;
UPDATE events SET arrival = 1 WHERE duplicate_of IS NOT NULL;
-- The subject's snapshot when the event arrived, by its receipt.
ALTER TABLE events ADD COLUMN previous BLOB;
-- Of events that a plugin caused: what the host has to say beside the body, as JSON, and the one plugin it is for.
ALTER TABLE events ADD COLUMN attributes TEXT;
ALTER TABLE events ADD COLUMN audience TEXT;
-- The event it was caused by, and how many causes stand before it.
ALTER TABLE events ADD COLUMN cause BLOB;
ALTER TABLE events ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;

-- Whose events a waiting or a held plan is about: of each plugin and source, what waits longest is found at once.
ALTER TABLE plans ADD COLUMN source TEXT;
UPDATE plans SET source = (SELECT source FROM events WHERE seq = event_seq) WHERE state = 1;
CREATE INDEX plans_in_turn ON plans (plugin, source, due_at_ms) WHERE state = 1;

-- What is known of each asset: one row for each, so the key grows with the assets and not with the events.
CREATE TABLE subjects (
    source   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    -- The event that is its snapshot, and what that is compared by.
    receipt  BLOB    NOT NULL,
    kind     TEXT    NOT NULL,
    mark_us  INTEGER,
    sha256   BLOB    NOT NULL,
    deleted  INTEGER NOT NULL,
    -- What our own effects wrote to the sender a short while ago, as JSON; NULL when nothing.
    expected TEXT,
    PRIMARY KEY (source, subject)
) WITHOUT ROWID;

-- What plugins remember of assets.
CREATE TABLE memories (
    source  TEXT NOT NULL,
    subject TEXT NOT NULL,
    plugin  TEXT NOT NULL,
    -- The place of the event that it was remembered at among those of the subject; an earlier one does not replace it.
    place   BLOB NOT NULL,
    -- NULL once the plugin has forgotten it.
    body    BLOB,
    PRIMARY KEY (source, subject, plugin)
) WITHOUT ROWID;

-- Lanes that are not empty: plans of one plugin about one asset that are not decided, in order. Only the first of a lane
-- waits or is parked; those behind it are held. An empty lane has no row.
CREATE TABLE lanes (
    source    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    plugin    TEXT    NOT NULL,
    event_seq INTEGER NOT NULL,
    PRIMARY KEY (source, subject, plugin, event_seq)
) WITHOUT ROWID;

-- Events of the host's own that are to come: wakes, emitted events and replies. A row goes when its event is recorded.
CREATE TABLE upcoming (
    seq       INTEGER PRIMARY KEY,
    due_at_ms INTEGER NOT NULL,
    record    TEXT    NOT NULL,
    -- The receipt of the event it comes from.
    cause     BLOB    NOT NULL
);
CREATE INDEX upcoming_due ON upcoming (due_at_ms, seq);
CREATE INDEX upcoming_by_cause ON upcoming (cause);
-- What an event led to. Only events of the host's own are in it, and receipts are in order of time.
CREATE INDEX events_by_cause ON events (cause) WHERE cause IS NOT NULL;

-- Attempts at effects that were not the last one; the last stands with its effect.
CREATE TABLE attempts (
    effect_seq INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    what       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    -- An effect that a person has redriven counts its attempts from 1 again.
    PRIMARY KEY (effect_seq, at_ms)
) WITHOUT ROWID;

-- What a person did about what was parked. A row stays: it is the history.
CREATE TABLE interventions (
    seq       INTEGER PRIMARY KEY,
    -- NULL for a stray and an alert.
    event_seq INTEGER,
    -- What was parked, as `tidegate parked` names it.
    id        TEXT    NOT NULL,
    -- The state it has from then on: 1 redriven, 5 dropped.
    state     INTEGER NOT NULL,
    reason    TEXT,
    at_ms     INTEGER NOT NULL
);
CREATE INDEX interventions_by_event ON interventions (event_seq);

ALTER TABLE strays ADD COLUMN state INTEGER NOT NULL DEFAULT 2;
CREATE INDEX strays_parked ON strays (pulled_at_ms) WHERE state = 2;

-- What an older Tidegate recorded: each asset's last event is its snapshot, what waits stands in its lane.
INSERT INTO subjects (source, subject, receipt, kind, sha256, deleted)
SELECT source, subject, receipt, kind, sha256, kind = 'asset.delete' FROM events
WHERE seq IN (SELECT max(seq) FROM events WHERE subject <> '' AND duplicate_of IS NULL GROUP BY source, subject);
INSERT INTO lanes (source, subject, plugin, event_seq)
SELECT e.source, e.subject, p.plugin, p.event_seq FROM plans p JOIN events e ON e.seq = p.event_seq
WHERE p.state = 1 AND e.subject <> '';
UPDATE plans SET state = 4 WHERE state = 1 AND event_seq >
    (SELECT min(l.event_seq) FROM events e JOIN lanes l ON l.source = e.source AND l.subject = e.subject
     WHERE e.seq = plans.event_seq AND l.plugin = plans.plugin);

-- How many there are and were of everything, by state; kept in the transactions that change it, so that nobody has to count.
-- What retention removes stays counted.
CREATE TABLE counters (
    what  TEXT    NOT NULL,
    state INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (what, state)
) WITHOUT ROWID;
INSERT INTO counters (what, state, count)
SELECT 'event', state, count(*) FROM events GROUP BY state
UNION ALL SELECT 'arrival', arrival, count(*) FROM events WHERE cause IS NULL GROUP BY arrival
UNION ALL SELECT 'caused', 0, count(*) FROM events WHERE cause IS NOT NULL
UNION ALL SELECT 'plan', state, count(*) FROM plans GROUP BY state
UNION ALL SELECT 'effect', state, count(*) FROM effects GROUP BY state
UNION ALL SELECT 'upcoming', 0, count(*) FROM upcoming
UNION ALL SELECT 'stray', state, count(*) FROM strays GROUP BY state
UNION ALL SELECT 'alert', state, count(*) FROM alerts GROUP BY state;
-- The server that an effect goes to, as scheme, host and port: of each, what waits longest is found at once. Such text has
-- seven characters at least before its host and ends before the slash that begins its path.
ALTER TABLE effects ADD COLUMN target TEXT NOT NULL DEFAULT '';
UPDATE effects SET target = substr(record ->> '$.url', 1, 7 + instr(substr(record ->> '$.url', 9), '/')) WHERE state IN (1, 2);
DROP INDEX effects_waiting;
CREATE INDEX effects_in_turn ON effects (target, due_at_ms, seq) WHERE state = 1;

-- Targets that are left alone for a while: one row for each, gone when it works again.
CREATE TABLE pauses (
    target    TEXT    PRIMARY KEY,
    until_ms  INTEGER NOT NULL,
    length_ms INTEGER NOT NULL,
    why       TEXT    NOT NULL
) WITHOUT ROWID;
