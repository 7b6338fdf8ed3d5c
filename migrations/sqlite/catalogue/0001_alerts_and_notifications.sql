-- The catalogue, version 1: alert history, the delivery queue, claims and dead letters.
-- Instants are nanoseconds since the Unix epoch, UTC. JSON bodies carry their own layout version.

CREATE TABLE alerts (
    episode     TEXT    PRIMARY KEY NOT NULL,
    fingerprint TEXT    NOT NULL,
    status      TEXT    NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at   INTEGER NOT NULL,
    ends_at     INTEGER,
    body        TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX alerts_by_start ON alerts (starts_at DESC, episode);
CREATE INDEX alerts_firing ON alerts (starts_at) WHERE status = 'firing';

CREATE TABLE notifications (
    id         TEXT    PRIMARY KEY NOT NULL,
    channel    TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    ended_at   INTEGER,
    reason     TEXT,
    body       TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX notifications_pending ON notifications (created_at, id) WHERE state = 'pending';
CREATE INDEX notifications_dead ON notifications (ended_at DESC, id) WHERE state = 'dead';

-- A page of one transition of one episode over one channel, leased to whoever sends it.
CREATE TABLE claims (
    episode     TEXT    NOT NULL,
    transition  TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    done        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (episode, transition, channel)
) WITHOUT ROWID;

CREATE INDEX claims_by_lease ON claims (lease_until);
