-- The catalogue, version 5: acknowledgements, and the history of what people did about alerts. Silences stand in
-- version 3; their matchers are as in Alertmanager's API.

CREATE TABLE acknowledgements (
    episode text   PRIMARY KEY,
    at      bigint NOT NULL,
    actor   text   NOT NULL
);

CREATE TABLE alert_events (
    id      text   PRIMARY KEY,
    episode text   NOT NULL,
    at      bigint NOT NULL,
    actor   text   NOT NULL,
    kind    text   NOT NULL CHECK (kind IN ('acknowledged', 'unacknowledged', 'noted')),
    body    text   NOT NULL
);

CREATE INDEX alert_events_by_episode ON alert_events (episode, at);
