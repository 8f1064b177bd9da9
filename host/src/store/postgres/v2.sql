-- What each version of a plugin cost on each of the hosts that share the database, as each says itself. It is no column of
-- `hosts`, whose rows are written anew with each transaction.
CREATE TABLE accounts (
    host   BIGINT PRIMARY KEY REFERENCES hosts ON DELETE CASCADE,
    record TEXT   NOT NULL
);
