-- The registry of agents, version 1: join tokens, kept as hashes, and the agents that joined with them.
CREATE TABLE IF NOT EXISTS tokens (secret_hash BLOB PRIMARY KEY, project TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS agents (certificate_hash BLOB PRIMARY KEY, agent TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL, host TEXT NOT NULL, environment TEXT NOT NULL DEFAULT 'default',
    enrolled_at INTEGER NOT NULL, last_seen INTEGER NOT NULL, has_left INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER) WITHOUT ROWID;

PRAGMA user_version = 1;
