-- The series store, version 1: how far it has come, and names kept once. Offsets and numbers are unsigned
-- 64-bit integers stored bit for bit; `_ns` are nanoseconds, `_s` seconds since the epoch, UTC.

-- Everything about a partition of the log is written under the lock of its row.
CREATE TABLE positions (
    partition   bigint  PRIMARY KEY,
    generation  bigint  NOT NULL,
    log_offset  bigint  NOT NULL, -- last offset whose rows are here
    log_time_ns bigint  NOT NULL, -- running maximum of log append time there
    rolled_s    bigint  NOT NULL, -- up to where ten seconds are merged into minutes and hours
    -- By width (ten seconds, minutes, hours): up to where rows are let go, and where the first begins.
    let_go_s    bigint[] NOT NULL,
    oldest_s    bigint[] NOT NULL,
    names_epoch bigint  NOT NULL DEFAULT 0 -- rises whenever series of the partition are forgotten
) WITH (fillfactor = 50);

-- Last number of each stream whose record is here: a repeat is dropped by it.
CREATE TABLE streams (
    partition   bigint  NOT NULL,
    stream      bytea   NOT NULL,
    number      bigint  NOT NULL,
    log_time_ns bigint  NOT NULL,
    PRIMARY KEY (partition, stream)
) WITH (fillfactor = 50);

-- A service that moved to another partition is there twice; its rows add up.
CREATE TABLE services (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition   bigint  NOT NULL,
    project     text    NOT NULL,
    environment text    NOT NULL,
    service     text    NOT NULL,
    UNIQUE (project, environment, service, partition)
);

CREATE TABLE series (
    id       bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service  bigint   NOT NULL REFERENCES services (id),
    kind     smallint NOT NULL, -- 0 the service as a whole, 1 a host, 2 an endpoint, 3 a gauge, 4 a counter
    host     text     NOT NULL,
    endpoint text     NOT NULL,
    method   text     NOT NULL,
    metric   text     NOT NULL, -- name{label="value",…}, labels sorted
    unit     text     NOT NULL,
    last_day bigint   NOT NULL  -- newest day since the epoch that it has rows in
) WITH (fillfactor = 80);

-- By a hash, for names may be longer than an index entry. No name holds a control character.
CREATE UNIQUE INDEX series_by_key ON series (service, kind,
    md5(metric || E'\x01' || endpoint || E'\x01' || method || E'\x01' || host || E'\x01' || unit));
CREATE INDEX series_by_last_day ON series (last_day);
