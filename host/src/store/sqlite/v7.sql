-- Which partition what is to come is of (see `partition.rs`): hosts that share a database take what is of theirs.
ALTER TABLE plans ADD COLUMN part INTEGER;
UPDATE plans SET part = (SELECT partition_of(subject, cause, sha256) FROM events WHERE seq = event_seq) WHERE state IN (1, 4);
ALTER TABLE upcoming ADD COLUMN part INTEGER;
UPDATE upcoming SET part = partition_of(json_extract(unseal(record, 'upcoming.record', cause), '$.subject'), cause, NULL);

-- What one host has for whoever holds a partition. Here there is one host, and nothing in it.
CREATE TABLE errands (
    seq         INTEGER PRIMARY KEY,
    part        INTEGER NOT NULL,
    is_delivery INTEGER NOT NULL,
    record      BLOB    NOT NULL
) STRICT;
