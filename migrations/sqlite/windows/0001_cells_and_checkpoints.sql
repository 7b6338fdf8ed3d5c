-- Window state as of each partition's last checkpoint. Times are seconds since the epoch, UTC, but for
-- log_time_ns; offsets and numbers are unsigned 64-bit integers stored bit for bit.

CREATE TABLE cells (
    partition INTEGER NOT NULL,
    tier      INTEGER NOT NULL, -- width of the bucket in seconds: 1 or 10
    start     INTEGER NOT NULL, -- first second of the bucket
    service   TEXT    NOT NULL, -- project/environment/service
    offset    INTEGER NOT NULL, -- last log offset that the cell holds
    cell      BLOB    NOT NULL, -- has a version byte of its own
    PRIMARY KEY (partition, tier, start, service)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    partition   INTEGER PRIMARY KEY,
    offset      INTEGER NOT NULL, -- last log offset applied
    log_time_ns INTEGER NOT NULL, -- running maximum of log append time at offset
    generation  INTEGER NOT NULL,
    watermark   INTEGER NOT NULL, -- highest event second merged
    streams     BLOB    NOT NULL  -- 32 bytes each: stream (16), last number (8), its log time (8), little-endian
);
