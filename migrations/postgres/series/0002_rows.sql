-- The series store, version 2: rows by series and time.
--
-- api_metrics and samples hold buckets of ten seconds; those of minutes and hours end where the partition is
-- rolled up to (positions.rolled_s). With TimescaleDB they are hypertables that are compressed by series
-- after seven days; without, they are partitioned by range. Either way history_ensure makes room ahead and
-- history_let_go drops whole stretches; how long rows are kept is configured in the central.

CREATE TABLE history_tables (
    name        text PRIMARY KEY,
    period_days integer NOT NULL -- days of a partition or chunk
);

INSERT INTO history_tables VALUES
    ('api_metrics', 1), ('api_metrics_1m', 1), ('api_metrics_1h', 10),
    ('samples', 1), ('samples_1m', 1), ('samples_1h', 10);

DO $do$
DECLARE
    is_timescale boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');
    compresses   boolean;
    entry        history_tables;
    columns      text;
BEGIN
    -- Creating the extension where the server has not loaded it ends the session: ask for its setting first.
    IF NOT is_timescale
       AND EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load')
       AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        BEGIN
            CREATE EXTENSION timescaledb;
            is_timescale := true;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'goldentime: this role may not create timescaledb, so tables are partitioned';
        END;
    END IF;
    -- Under the Apache licence there are hypertables, but no compression.
    compresses := is_timescale AND current_setting('timescaledb.license', true) = 'timescale';

    FOR entry IN SELECT * FROM history_tables LOOP
        columns := CASE WHEN entry.name LIKE 'api_metrics%' THEN
            'ok bigint NOT NULL, client_error bigint NOT NULL, server_error bigint NOT NULL,
             timeout bigint NOT NULL, sketch bytea NOT NULL'
        ELSE
            'count bigint NOT NULL, sum float8 NOT NULL, min float8 NOT NULL, max float8 NOT NULL,
             last float8 NOT NULL, last_ms bigint NOT NULL'
        END;
        EXECUTE format('CREATE TABLE %I (series bigint NOT NULL, time timestamptz NOT NULL, %s,
                        PRIMARY KEY (series, time))', entry.name, columns)
            || CASE WHEN is_timescale THEN '' ELSE ' PARTITION BY RANGE (time)' END;
        IF is_timescale THEN
            PERFORM create_hypertable(entry.name::regclass, 'time', create_default_indexes => false,
                                      chunk_time_interval => make_interval(days => entry.period_days));
        END IF;
        IF compresses THEN
            EXECUTE format('ALTER TABLE %I SET (timescaledb.compress, timescaledb.compress_orderby = %L,
                            timescaledb.compress_segmentby = %L)', entry.name, 'time', 'series');
            PERFORM add_compression_policy(entry.name::regclass, make_interval(days => 7));
        END IF;
    END LOOP;

    IF is_timescale THEN
        CREATE FUNCTION history_ensure(name text, days bigint[]) RETURNS void
        LANGUAGE sql AS 'SELECT';

        EXECUTE $sql$
            CREATE FUNCTION history_let_go(name text, before timestamptz) RETURNS bigint
            LANGUAGE sql AS $f$ SELECT count(*) FROM drop_chunks(name::regclass, older_than => before) $f$;

            CREATE FUNCTION history_bytes() RETURNS bigint
            LANGUAGE sql AS $f$ SELECT sum(hypertable_size(name::regclass))::bigint FROM history_tables $f$;
        $sql$;
    ELSE
        -- Partitions for these days since the epoch, where there are none. One is filled by nobody else
        -- before it is attached, so nobody waits for that.
        CREATE FUNCTION history_ensure(name text, days bigint[]) RETURNS void
        LANGUAGE plpgsql AS $f$
        DECLARE
            width  integer := (SELECT t.period_days FROM history_tables t WHERE t.name = history_ensure.name);
            place  oid := (SELECT c.relnamespace FROM pg_class c WHERE c.oid = name::regclass);
            first  bigint;
            part   text;
        BEGIN
            FOR first IN SELECT DISTINCT day - day % width FROM unnest(days) day ORDER BY 1 LOOP
                part := name || to_char(date '1970-01-01' + first::integer, '"_p"YYYYMMDD');
                CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = place);
                PERFORM pg_advisory_xact_lock(hashtext('goldentime history'));
                -- By a query of its own: to_regclass would answer from what it remembers.
                CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = place);
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 70)', part, name);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, part,
                               to_timestamp(first * 86400), to_timestamp((first + width) * 86400));
            END LOOP;
        END $f$;

        -- Drops the partitions that end by then; gives how many.
        CREATE FUNCTION history_let_go(name text, before timestamptz) RETURNS bigint
        LANGUAGE plpgsql AS $f$
        DECLARE
            width interval := (SELECT make_interval(days => t.period_days)
                               FROM history_tables t WHERE t.name = history_let_go.name);
            part  text;
            gone  bigint := 0;
        BEGIN
            FOR part IN
                SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = name::regclass AND c.relname ~ '_p[0-9]{8}$'
                  AND (to_date(right(c.relname, 8), 'YYYYMMDD') + width) AT TIME ZONE 'UTC' <= before
                ORDER BY c.relname
            LOOP
                EXECUTE format('DROP TABLE IF EXISTS %I', part);
                gone := gone + 1;
            END LOOP;
            RETURN gone;
        END $f$;

        CREATE FUNCTION history_bytes() RETURNS bigint
        LANGUAGE sql AS $f$
            SELECT coalesce(sum(pg_total_relation_size(p.relid)), 0)::bigint
            FROM history_tables t CROSS JOIN pg_partition_tree(t.name::regclass) p WHERE p.isleaf
        $f$;
    END IF;
END $do$;

-- The same for people, with names.
CREATE VIEW requests AS
SELECT m.time, m.resolution_s, v.project, v.environment, v.service, s.endpoint, s.method, s.host,
       m.ok + m.client_error + m.server_error + m.timeout AS request_count,
       m.server_error + m.timeout AS error_count, m.client_error AS client_error_count,
       m.timeout AS timeout_count, m.sketch
FROM (SELECT 10 AS resolution_s, * FROM api_metrics
      UNION ALL SELECT 60, * FROM api_metrics_1m
      UNION ALL SELECT 3600, * FROM api_metrics_1h) m
JOIN series s ON s.id = m.series JOIN services v ON v.id = s.service;
