-- Streams under which records were flushed. A stream stays until its last record is gone.
CREATE TABLE stream (
    key       INTEGER PRIMARY KEY,
    id        BLOB    NOT NULL UNIQUE,
    kind      INTEGER NOT NULL,
    opened_ns INTEGER NOT NULL
);

-- Records that the central has not acknowledged, in the order in which they were flushed.
CREATE TABLE record (
    seq        INTEGER PRIMARY KEY,
    stream     INTEGER NOT NULL REFERENCES stream (key),
    kind       INTEGER NOT NULL,
    partition  INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    flushed_ns INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    body       BLOB    NOT NULL
);
CREATE UNIQUE INDEX record_identity ON record (stream, partition, number);
CREATE INDEX record_kind ON record (kind, seq);

-- How far each input has read, committed together with what it read.
CREATE TABLE position (
    input  TEXT NOT NULL,
    source TEXT NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (input, source)
) WITHOUT ROWID;

-- One value a name: boot id of the last writer, whether it closed cleanly, what the central said.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
