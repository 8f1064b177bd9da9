-- Who may ask the admin API: names, and hashes of tokens. The token before counts until its time, as one takes over from
-- another.
CREATE TABLE tokens (
    name            TEXT    PRIMARY KEY,
    role            TEXT    NOT NULL,
    sha256          BLOB    NOT NULL,
    before          BLOB,
    before_until_ms INTEGER,
    made_at_ms      INTEGER NOT NULL,
    until_ms        INTEGER
) WITHOUT ROWID;

-- Where a sender has its events in traces of its own: of events alone that say so, while traces are told.
CREATE TABLE traces (
    event_seq INTEGER PRIMARY KEY,
    -- Trace, span, and whether the sender tells it.
    parent    BLOB    NOT NULL
);

-- One row: what was said of the host as a whole, so that nothing is said twice.
CREATE TABLE conditions (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    record TEXT NOT NULL
);
