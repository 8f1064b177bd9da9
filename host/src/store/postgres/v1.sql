-- As the tables of the SQLite file stand at its schema 7: what columns mean is said there (store/sqlite/v1.sql to v7.sql).
-- What may be sealed is BYTEA. Text is compared by its bytes, as SQLite does.
CREATE TABLE events (
    seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt        BYTEA  NOT NULL UNIQUE,
    source         TEXT   COLLATE "C" NOT NULL,
    kind           TEXT   COLLATE "C" NOT NULL,
    subject        TEXT   COLLATE "C" NOT NULL,
    duplicate_of   BYTEA,
    state          BIGINT NOT NULL,
    received_at_ms BIGINT NOT NULL,
    queued_at_ms   BIGINT NOT NULL,
    pulled_at_ms   BIGINT NOT NULL,
    decided_at_ms  BIGINT NOT NULL,
    content_type   TEXT,
    sha256         BYTEA  NOT NULL,
    body           BYTEA  NOT NULL,
    findings       BYTEA,
    arrival        BIGINT NOT NULL,
    previous       BYTEA,
    attributes     BYTEA,
    audience       TEXT   COLLATE "C",
    cause          BYTEA,
    depth          BIGINT NOT NULL,
    erased_at_ms   BIGINT
);
CREATE INDEX events_by_cause ON events (cause) WHERE cause IS NOT NULL;

CREATE TABLE plans (
    event_seq     BIGINT NOT NULL,
    plugin        TEXT   COLLATE "C" NOT NULL,
    version_id    BIGINT NOT NULL,
    state         BIGINT NOT NULL,
    attempt       BIGINT NOT NULL,
    asked_us      BIGINT NOT NULL,
    due_at_ms     BIGINT,
    why           BYTEA,
    notes         BYTEA,
    decided_at_ms BIGINT NOT NULL,
    log           BYTEA,
    source        TEXT   COLLATE "C",
    pinned        BIGINT,
    memory        BYTEA,
    fingerprint   BYTEA,
    part          BIGINT,
    PRIMARY KEY (event_seq, plugin)
);
CREATE INDEX plans_waiting ON plans (due_at_ms) WHERE state = 1;
CREATE INDEX plans_asked_first ON plans (event_seq) WHERE state = 1;
CREATE INDEX plans_parked ON plans (decided_at_ms, event_seq, plugin) WHERE state = 2;
CREATE INDEX plans_in_turn ON plans (plugin, source, due_at_ms) WHERE state = 1;
-- Here alone: hosts are asked how far each is behind.
CREATE INDEX plans_behind ON plans (part, event_seq) WHERE state = 1;

CREATE TABLE effects (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_seq BIGINT NOT NULL,
    plugin    TEXT   COLLATE "C" NOT NULL,
    record    BYTEA  NOT NULL,
    state     BIGINT NOT NULL,
    attempts  BIGINT NOT NULL,
    due_at_ms BIGINT NOT NULL,
    what      TEXT,
    at_ms     BIGINT,
    target    TEXT   COLLATE "C" NOT NULL
);
CREATE INDEX effects_by_event ON effects (event_seq);
CREATE INDEX effects_in_turn ON effects (target, due_at_ms, seq) WHERE state = 1;
CREATE INDEX effects_parked ON effects (at_ms, seq) WHERE state = 2;

CREATE TABLE attempts (
    effect_seq BIGINT NOT NULL,
    attempt    BIGINT NOT NULL,
    what       TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (effect_seq, at_ms)
);

CREATE TABLE pauses (
    target    TEXT   COLLATE "C" PRIMARY KEY,
    until_ms  BIGINT NOT NULL,
    length_ms BIGINT NOT NULL,
    why       TEXT   NOT NULL
);

CREATE TABLE strays (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256       BYTEA  NOT NULL UNIQUE,
    body         BYTEA  NOT NULL,
    why          BYTEA  NOT NULL,
    pulled_at_ms BIGINT NOT NULL,
    state        BIGINT NOT NULL DEFAULT 2
);
CREATE INDEX strays_parked ON strays (pulled_at_ms, seq) WHERE state = 2;

CREATE TABLE versions (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version          TEXT   COLLATE "C" NOT NULL UNIQUE,
    plugin           TEXT   COLLATE "C" NOT NULL,
    manifest         TEXT   NOT NULL,
    component        BYTEA  NOT NULL,
    provenance       TEXT,
    made_at_ms       BIGINT NOT NULL,
    component_sha256 BYTEA,
    state            BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX versions_by_plugin ON versions (plugin, id);

CREATE TABLE deployments (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin TEXT   COLLATE "C" NOT NULL,
    roles  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    who    TEXT   NOT NULL,
    why    TEXT,
    at_ms  BIGINT NOT NULL
);
CREATE INDEX deployments_by_plugin ON deployments (plugin, id);

CREATE TABLE drifts (
    event_seq  BIGINT NOT NULL,
    plugin     TEXT   COLLATE "C" NOT NULL,
    version_id BIGINT NOT NULL,
    record     BYTEA  NOT NULL,
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (event_seq, plugin, version_id)
);
CREATE INDEX drifts_by_plugin ON drifts (plugin, event_seq);

CREATE TABLE subjects (
    source   TEXT   COLLATE "C" NOT NULL,
    subject  TEXT   COLLATE "C" NOT NULL,
    receipt  BYTEA  NOT NULL,
    kind     TEXT   NOT NULL,
    mark_us  BIGINT,
    sha256   BYTEA  NOT NULL,
    deleted  BIGINT NOT NULL,
    expected BYTEA,
    PRIMARY KEY (source, subject)
);

CREATE TABLE memories (
    source  TEXT  COLLATE "C" NOT NULL,
    subject TEXT  COLLATE "C" NOT NULL,
    plugin  TEXT  COLLATE "C" NOT NULL,
    place   BYTEA NOT NULL,
    body    BYTEA,
    PRIMARY KEY (source, subject, plugin)
);

CREATE TABLE lanes (
    source    TEXT   COLLATE "C" NOT NULL,
    subject   TEXT   COLLATE "C" NOT NULL,
    plugin    TEXT   COLLATE "C" NOT NULL,
    event_seq BIGINT NOT NULL,
    PRIMARY KEY (source, subject, plugin, event_seq)
);

CREATE TABLE upcoming (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    due_at_ms BIGINT NOT NULL,
    record    BYTEA  NOT NULL,
    cause     BYTEA  NOT NULL,
    part      BIGINT
);
CREATE INDEX upcoming_due ON upcoming (due_at_ms, seq);
CREATE INDEX upcoming_by_cause ON upcoming (cause);

CREATE TABLE interventions (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_seq BIGINT,
    id        TEXT   COLLATE "C" NOT NULL,
    state     BIGINT NOT NULL,
    reason    TEXT,
    at_ms     BIGINT NOT NULL
);
CREATE INDEX interventions_by_event ON interventions (event_seq);

CREATE TABLE traces (
    event_seq BIGINT PRIMARY KEY,
    parent    BYTEA NOT NULL
);

CREATE TABLE gaps (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source  TEXT   COLLATE "C" NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms   BIGINT NOT NULL,
    after   TEXT   NOT NULL
);

CREATE TABLE alerts (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    source       TEXT   COLLATE "C",
    payload      TEXT   NOT NULL,
    raised_at_ms BIGINT NOT NULL,
    state        BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    due_at_ms    BIGINT NOT NULL,
    what         TEXT,
    at_ms        BIGINT
);
CREATE INDEX alerts_waiting ON alerts (due_at_ms, seq) WHERE state = 1;
CREATE INDEX alerts_parked ON alerts (at_ms, seq) WHERE state = 2;

CREATE TABLE rhythms (
    source TEXT COLLATE "C" PRIMARY KEY,
    record TEXT NOT NULL
);

CREATE TABLE vigil (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    record TEXT   NOT NULL
);

CREATE TABLE conditions (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    record TEXT   NOT NULL
);

CREATE TABLE counters (
    what  TEXT   COLLATE "C" NOT NULL,
    state BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (what, state)
);

CREATE TABLE audit (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms  BIGINT NOT NULL,
    record TEXT   NOT NULL
);

CREATE TABLE store_keys (fingerprint BYTEA PRIMARY KEY);

CREATE TABLE tokens (
    name            TEXT   COLLATE "C" PRIMARY KEY,
    role            TEXT   NOT NULL,
    sha256          BYTEA  NOT NULL,
    before          BYTEA,
    before_until_ms BIGINT,
    made_at_ms      BIGINT NOT NULL,
    until_ms        BIGINT
);

CREATE TABLE errands (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    part        BIGINT NOT NULL,
    is_delivery BIGINT NOT NULL,
    record      BYTEA  NOT NULL
);
CREATE INDEX errands_in_turn ON errands (is_delivery, part, seq);

-- The hosts that work on the database, and those that did within the last day, as each says itself. Whether one is still there
-- and what it holds is seen by the locks of its connection. What a host says of the sources it says while it watches over them.
CREATE TABLE hosts (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         TEXT   NOT NULL,
    queues       BIGINT NOT NULL,
    deployment   BIGINT NOT NULL DEFAULT 0,
    release      TEXT   NOT NULL,
    joined_at_ms BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::int8,
    seen_at_ms   BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::int8,
    left_at_ms   BIGINT,
    doing        TEXT,
    sources      TEXT
);

-- The host that held each partition last. One that finds another here than itself must not write any more.
CREATE TABLE partitions (
    part BIGINT PRIMARY KEY,
    host BIGINT NOT NULL
);
