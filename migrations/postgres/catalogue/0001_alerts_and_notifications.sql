-- The catalogue, version 1: alert history, the delivery queue, claims and dead letters.
-- Instants are nanoseconds since the Unix epoch, UTC; JSON bodies carry their own layout version.

CREATE TABLE alert_history (
    episode     text   PRIMARY KEY,
    fingerprint text   NOT NULL,
    status      text   NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at   bigint NOT NULL,
    ends_at     bigint,
    body        json   NOT NULL,
    -- For people.
    started     timestamptz GENERATED ALWAYS AS (to_timestamp(starts_at / 1e9)) STORED,
    ended       timestamptz GENERATED ALWAYS AS (to_timestamp(ends_at / 1e9)) STORED
);

CREATE INDEX alert_history_by_start ON alert_history (starts_at DESC, episode);
CREATE INDEX alert_history_firing ON alert_history (starts_at) WHERE status = 'firing';

CREATE TABLE notifications (
    id         text   PRIMARY KEY,
    channel    text   NOT NULL,
    state      text   NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    created_at bigint NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    ended_at   bigint,
    reason     text,
    body       json   NOT NULL
);

CREATE INDEX notifications_pending ON notifications (created_at, id) WHERE state = 'pending';
CREATE INDEX notifications_dead ON notifications (ended_at DESC, id) WHERE state = 'dead';

-- A page of one transition of one episode over one channel, leased to whoever sends it.
CREATE TABLE claims (
    episode     text    NOT NULL,
    transition  text    NOT NULL,
    channel     text    NOT NULL,
    owner       text    NOT NULL,
    lease_until bigint  NOT NULL,
    done        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (episode, transition, channel)
);

CREATE INDEX claims_by_lease ON claims (lease_until);
