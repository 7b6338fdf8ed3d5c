-- Dead letters, version 1: what could not be taken, as the topic of dead letters has it, and replays of it.
-- Instants are nanoseconds since the Unix epoch, UTC.

CREATE TABLE dead_letters (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            bigint  NOT NULL,
    last_at       bigint  NOT NULL,
    kind          text    NOT NULL CHECK (kind IN ('record', 'line', 'raw')),
    agent         text    NOT NULL,
    host          text    NOT NULL,
    project       text    NOT NULL,
    service       text    NOT NULL,
    source        text    NOT NULL,
    reason        text    NOT NULL,
    detail        text    NOT NULL,
    record        bytea   NOT NULL,
    -- Key in the raw topic.
    record_key    bytea   NOT NULL,
    is_cut        boolean NOT NULL,
    is_shipped    boolean NOT NULL,
    times         bigint  NOT NULL DEFAULT 1,
    replayed_at   bigint,
    -- What tells letters apart: the very same that comes again is counted in `times`.
    digest        bytea   NOT NULL UNIQUE,
    -- Place of its newest copy in the topic: one that is read again counts nothing.
    log_partition bigint  NOT NULL,
    log_offset    bigint  NOT NULL,
    log_time      bigint  NOT NULL,
    -- What it counts for against the bound.
    weight        bigint  GENERATED ALWAYS AS (octet_length(record) + octet_length(detail) + 512) STORED,
    -- For people.
    refused_first timestamptz GENERATED ALWAYS AS (to_timestamp(at / 1e9)) STORED,
    refused_last  timestamptz GENERATED ALWAYS AS (to_timestamp(last_at / 1e9)) STORED
);

CREATE INDEX dead_letters_by_time ON dead_letters (at);

-- A replay is a stream of its own, and one more for log lines: they are read apart, each by its numbers.
CREATE TABLE letter_replays (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream      bytea  NOT NULL UNIQUE,
    line_stream bytea  NOT NULL UNIQUE,
    asked_at    bigint NOT NULL,
    begun_at    bigint,
    ended_at    bigint
);

CREATE INDEX letter_replays_open ON letter_replays (id) WHERE ended_at IS NULL;

CREATE TABLE letter_replay_numbers (
    replay    bigint  NOT NULL REFERENCES letter_replays (id) ON DELETE CASCADE,
    partition bigint  NOT NULL,
    is_line   boolean NOT NULL,
    last      bigint  NOT NULL,
    PRIMARY KEY (replay, partition, is_line)
);

-- State: 0 waits, 1 has its place, 2 the log has it, 3 refused again.
CREATE TABLE letter_replay_letters (
    replay      bigint   NOT NULL REFERENCES letter_replays (id) ON DELETE CASCADE,
    letter      bigint   NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE,
    state       bigint   NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 3),
    partition   bigint,
    number      bigint,
    line_number bigint,
    is_late     boolean  NOT NULL DEFAULT false,
    PRIMARY KEY (replay, letter)
);

CREATE INDEX letter_replay_letters_letter ON letter_replay_letters (letter);
CREATE UNIQUE INDEX letter_replay_letters_open ON letter_replay_letters (letter) WHERE state < 2;
-- A place is one letter's.
CREATE UNIQUE INDEX letter_replay_letters_number ON letter_replay_letters (replay, partition, number);
CREATE UNIQUE INDEX letter_replay_letters_line ON letter_replay_letters (replay, partition, line_number);
