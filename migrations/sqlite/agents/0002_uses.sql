-- The registry of agents, version 2: tokens for a number of agents, and a short way to those revoked.
ALTER TABLE tokens ADD COLUMN uses_max INTEGER;
ALTER TABLE tokens ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;

CREATE INDEX agents_revoked ON agents (revoked_at) WHERE revoked_at IS NOT NULL;

PRAGMA user_version = 2;
