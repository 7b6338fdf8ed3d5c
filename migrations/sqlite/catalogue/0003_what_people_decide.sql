-- The catalogue, version 3: silences, acknowledgements, and the history of what people did about alerts.

CREATE TABLE silences (
    id         TEXT    PRIMARY KEY NOT NULL,
    matchers   TEXT    NOT NULL, -- JSON, as Alertmanager's API has it
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL CHECK (ends_at > starts_at),
    created_by TEXT    NOT NULL,
    comment    TEXT    NOT NULL,
    edited_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX silences_by_end ON silences (ends_at);

CREATE TABLE acknowledgements (
    episode TEXT    PRIMARY KEY NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL
) WITHOUT ROWID;

CREATE TABLE alert_events (
    id      TEXT    PRIMARY KEY NOT NULL,
    episode TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind IN ('acknowledged', 'unacknowledged', 'noted')),
    body    TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX alert_events_by_episode ON alert_events (episode, at);
