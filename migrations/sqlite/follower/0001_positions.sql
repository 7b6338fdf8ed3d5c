-- How far a database that follows the ingest log has come. Offsets and numbers are unsigned 64-bit
-- integers stored bit for bit; times are nanoseconds since the epoch, UTC.

CREATE TABLE positions (
    partition   INTEGER PRIMARY KEY,
    generation  INTEGER NOT NULL,
    offset      INTEGER NOT NULL, -- last log offset whose rows are here
    log_time_ns INTEGER NOT NULL  -- running maximum of log append time at offset
);

-- Last number of each stream whose record is here: a repeat is dropped by it.
CREATE TABLE streams (
    partition   INTEGER NOT NULL,
    stream      BLOB    NOT NULL,
    number      INTEGER NOT NULL,
    log_time_ns INTEGER NOT NULL,
    PRIMARY KEY (partition, stream)
) WITHOUT ROWID;
