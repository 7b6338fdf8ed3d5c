-- The catalogue, version 2: accounts, sessions, API tokens and set-up links.
-- Secrets stand here as SHA-256 hashes only, passwords as argon2id hashes in PHC form.

-- `key` is the name in lower case: two names that differ in case alone are one account.
CREATE TABLE accounts (
    key           TEXT    PRIMARY KEY NOT NULL,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
    secret_hash BLOB    PRIMARY KEY NOT NULL,
    account     TEXT    NOT NULL REFERENCES accounts (key) ON DELETE CASCADE,
    address     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX sessions_by_account ON sessions (account, created_at);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE api_tokens (
    secret_hash BLOB    PRIMARY KEY NOT NULL,
    id          TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    role        TEXT    NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    used_at     INTEGER,
    revoked_at  INTEGER
) WITHOUT ROWID;

-- A link with a name sets the password of that account, or makes it; one without lets its holder choose.
CREATE TABLE setup_links (
    secret_hash BLOB    PRIMARY KEY NOT NULL,
    role        TEXT    NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    name        TEXT,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) WITHOUT ROWID;
