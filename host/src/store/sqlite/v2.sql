-- What is odd about the request, as JSON; NULL when nothing is.
ALTER TABLE events ADD COLUMN findings TEXT;

-- Times in which events may have been lost.
CREATE TABLE gaps (
    id        INTEGER PRIMARY KEY,
    source    TEXT    NOT NULL,
    from_ms   INTEGER NOT NULL,
    to_ms     INTEGER NOT NULL,
    after     TEXT    NOT NULL
);

-- What the operator was told. A row stays after it was sent: it is the history.
CREATE TABLE alerts (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    source       TEXT,
    payload      TEXT    NOT NULL,
    raised_at_ms INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    due_at_ms    INTEGER NOT NULL,
    what         TEXT,
    at_ms        INTEGER
);
CREATE INDEX alerts_waiting ON alerts (due_at_ms, seq) WHERE state = 1;
CREATE INDEX alerts_parked ON alerts (at_ms) WHERE state = 2;

-- One row for each source.
CREATE TABLE rhythms (
    source TEXT PRIMARY KEY,
    record TEXT NOT NULL
) WITHOUT ROWID;

-- One row: what the vigil must remember so that it says nothing twice.
CREATE TABLE vigil (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    record TEXT NOT NULL
);
