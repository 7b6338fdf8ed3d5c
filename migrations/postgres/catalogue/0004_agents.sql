-- The catalogue, version 4: join tokens, kept as hashes, and the agents that joined with them.

CREATE TABLE join_tokens (
    secret_hash bytea   PRIMARY KEY,
    project     text    NOT NULL,
    created_at  bigint  NOT NULL,
    expires_at  bigint,
    revoked_at  bigint,
    uses        bigint  NOT NULL DEFAULT 0,
    uses_max    bigint,
    CHECK (uses_max IS NULL OR uses <= uses_max)
);

-- An agent is known by the SHA-256 of its certificate.
CREATE TABLE agents (
    certificate_hash bytea   PRIMARY KEY,
    agent            text    NOT NULL UNIQUE,
    project          text    NOT NULL,
    host             text    NOT NULL,
    environment      text    NOT NULL DEFAULT 'default',
    enrolled_at      bigint  NOT NULL,
    last_seen        bigint  NOT NULL,
    has_left         boolean NOT NULL DEFAULT true,
    revoked_at       bigint
) WITH (fillfactor = 80);

-- Every central asks twice a second who was revoked.
CREATE INDEX agents_revoked ON agents (revoked_at) WHERE revoked_at IS NOT NULL;
