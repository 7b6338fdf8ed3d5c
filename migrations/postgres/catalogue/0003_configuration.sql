-- The catalogue, version 3: what people set up on the dashboard. What comes from files stays in the files.
-- Bodies are what a file would hold, so that they can be exported as one.

CREATE TABLE projects (
    name       text   PRIMARY KEY,
    title      text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE slo_configs (
    project   text   NOT NULL REFERENCES projects (name),
    name      text   NOT NULL,
    body      text   NOT NULL, -- OpenSLO, YAML
    edited_by text   NOT NULL,
    edited_at bigint NOT NULL,
    PRIMARY KEY (project, name)
);

CREATE TABLE alert_rules (
    project   text    NOT NULL REFERENCES projects (name),
    name      text    NOT NULL,
    enabled   boolean NOT NULL DEFAULT true,
    body      text    NOT NULL, -- OpenSLO, YAML
    edited_by text    NOT NULL,
    edited_at bigint  NOT NULL,
    PRIMARY KEY (project, name)
);

-- Secrets of a channel are named by file or variable, never written here.
CREATE TABLE alert_channels (
    name      text    PRIMARY KEY,
    kind      text    NOT NULL CHECK (kind IN ('webhook', 'slack', 'email', 'pagerduty')),
    enabled   boolean NOT NULL DEFAULT true,
    body      json    NOT NULL,
    edited_by text    NOT NULL,
    edited_at bigint  NOT NULL
);

CREATE TABLE silences (
    id         text   PRIMARY KEY,
    matchers   json   NOT NULL,
    starts_at  bigint NOT NULL,
    ends_at    bigint NOT NULL CHECK (ends_at > starts_at),
    created_by text   NOT NULL,
    comment    text   NOT NULL,
    edited_at  bigint NOT NULL
);

CREATE INDEX silences_by_end ON silences (ends_at);
