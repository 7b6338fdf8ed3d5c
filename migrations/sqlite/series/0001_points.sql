-- The series store, version 1. Times are seconds since the epoch, UTC.
--
-- A point is found by (tier, partition, chunk, series, slot): tier is the width of its bucket in
-- seconds (10, 60, 3600), chunk the number of the stretch of time that it lies in (10 s, 1 h, 1 d), slot
-- the number of its bucket within. So the newest rows of all series lie side by side and are written
-- together, a chart reads few stretches, and what is old goes from the front.

CREATE TABLE services (
    id          INTEGER PRIMARY KEY,
    partition   INTEGER NOT NULL,
    project     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    service     TEXT    NOT NULL,
    UNIQUE (project, environment, service)
);

CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    service  INTEGER NOT NULL REFERENCES services (id),
    kind     INTEGER NOT NULL, -- 0 the service as a whole, 1 a host, 2 an endpoint, 3 a gauge, 4 a counter
    host     TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    method   TEXT    NOT NULL,
    metric   TEXT    NOT NULL, -- name{label="value",…}, labels sorted
    unit     TEXT    NOT NULL,
    last_day INTEGER NOT NULL, -- newest day since the epoch that it has points in
    UNIQUE (service, kind, metric, endpoint, method, host, unit)
);

CREATE TABLE request_points (
    tier         INTEGER NOT NULL,
    partition    INTEGER NOT NULL,
    chunk        INTEGER NOT NULL,
    series       INTEGER NOT NULL,
    slot         INTEGER NOT NULL,
    ok           INTEGER NOT NULL,
    client_error INTEGER NOT NULL,
    server_error INTEGER NOT NULL,
    timeout      INTEGER NOT NULL,
    sketch       BLOB    NOT NULL, -- wire encoding of the latency sketch; empty: none had a duration
    PRIMARY KEY (tier, partition, chunk, series, slot)
) WITHOUT ROWID;

CREATE TABLE sample_points (
    tier      INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    chunk     INTEGER NOT NULL,
    series    INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    reading   BLOB    NOT NULL, -- last, least, greatest, sum and number of the readings
    PRIMARY KEY (tier, partition, chunk, series, slot)
) WITHOUT ROWID;

-- Up to where the points of ten seconds are merged into those of a minute and of an hour.
CREATE TABLE rolled (
    partition INTEGER PRIMARY KEY,
    until     INTEGER NOT NULL
);

-- Up to where points are deleted, because of their age or for want of room.
CREATE TABLE dropped (
    tier      INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    PRIMARY KEY (tier, partition)
) WITHOUT ROWID;

-- The same for people. `resolution_s` 60 and 3600 end where the partition is rolled up to.
CREATE VIEW api_metrics AS
SELECT p.chunk * CASE p.tier WHEN 10 THEN 10 WHEN 60 THEN 3600 ELSE 86400 END + p.slot * p.tier AS time,
       p.tier AS resolution_s, v.project, v.environment, v.service, s.endpoint, s.method, s.host,
       p.ok + p.client_error + p.server_error + p.timeout AS request_count,
       p.server_error + p.timeout AS error_count,
       p.client_error AS client_error_count, p.timeout AS timeout_count, p.sketch
FROM request_points p JOIN series s ON s.id = p.series JOIN services v ON v.id = s.service;
