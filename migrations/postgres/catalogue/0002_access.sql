-- The catalogue, version 2: users, their sessions, API tokens and set-up links.
-- Secrets stand here as SHA-256 hashes only, passwords as argon2id hashes in PHC form.

-- `key` is the name in lower case: two names that differ in case alone are one user.
CREATE TABLE users (
    key           text   PRIMARY KEY,
    name          text   NOT NULL,
    role          text   NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    password_hash text   NOT NULL,
    created_at    bigint NOT NULL
);

CREATE TABLE sessions (
    secret_hash bytea  PRIMARY KEY,
    account     text   NOT NULL REFERENCES users (key) ON DELETE CASCADE,
    address     text   NOT NULL,
    created_at  bigint NOT NULL,
    seen_at     bigint NOT NULL,
    ends_at     bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX sessions_by_account ON sessions (account, created_at);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE api_tokens (
    secret_hash bytea  PRIMARY KEY,
    id          text   NOT NULL UNIQUE,
    name        text   NOT NULL,
    role        text   NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    created_by  text   NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint,
    used_at     bigint,
    revoked_at  bigint
) WITH (fillfactor = 80);

-- A link with a name sets the password of that user, or makes it; one without lets its holder choose.
CREATE TABLE setup_links (
    secret_hash bytea  PRIMARY KEY,
    role        text   NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    name        text,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL
);
