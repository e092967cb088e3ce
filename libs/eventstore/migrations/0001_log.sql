-- The log: every fact of this cell, append-only, numbered without gaps.
--
-- Text keys collate as "C": they are compared as bytes, which is several times cheaper in an
-- index than a language's order and means the same on every machine.

-- The layout of postgres-es, so that its tools can read our streams, and four columns of ours.
-- The defaults let a stock INSERT succeed; such rows have no outbox row and so no place in the log.
CREATE TABLE events (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint           NOT NULL CHECK (sequence >= 0),
    event_type     text COLLATE "C" NOT NULL,
    event_version  text COLLATE "C" NOT NULL,
    payload        json             NOT NULL,
    metadata       json             NOT NULL,
    org_id         text COLLATE "C" NOT NULL DEFAULT '',
    event_id       uuid             NOT NULL DEFAULT gen_random_uuid(),
    routing_key    text COLLATE "C" NOT NULL DEFAULT '',
    recorded_at    timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
) PARTITION BY HASH (aggregate_id);

CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE events_1 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE events_2 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE events_3 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE events_4 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE events_5 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE events_6 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE events_7 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- Committed events that have no number yet. The ids are handed out one at a time (CACHE 1):
-- blocks of ids per connection could put an event before an earlier one of the same aggregate.
CREATE SEQUENCE outbox_id CACHE 1;
CREATE TABLE outbox (
    id             bigint           NOT NULL DEFAULT nextval('outbox_id') PRIMARY KEY,
    sequence       bigint           NOT NULL,
    routing_hash   bigint           NOT NULL,
    event_id       uuid             NOT NULL,
    -- -1: every partition.
    partition      smallint         NOT NULL CHECK (partition BETWEEN -1 AND 15),
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    org_id         text COLLATE "C" NOT NULL,
    leaf_hash      bytea            NOT NULL
) WITH (
    -- A queue: nearly every row ever written is dead. Vacuum by count, at full speed, and leave
    -- the emptied pages in the file, since giving them back takes an exclusive lock.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000,
    vacuum_truncate = false
);
ALTER SEQUENCE outbox_id OWNED BY outbox.id;

-- What was answered to a request, so that a repeated request gets the same answer.
CREATE TABLE receipts (
    org_id       text COLLATE "C" NOT NULL,
    request_id   text COLLATE "C" NOT NULL,
    request_hash bytea            NOT NULL,
    response     bytea            NOT NULL,
    created_at   timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, request_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);
-- Receipts arrive in the order of time: a block range index finds the expired ones at no cost
-- to the append.
CREATE INDEX receipts_created_at ON receipts USING brin (created_at) WITH (pages_per_range = 32);

-- Unique names, each held by one stream.
CREATE TABLE claims (
    org_id     text COLLATE "C" NOT NULL,
    scope      text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    owner_type text COLLATE "C" NOT NULL,
    owner_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, scope, key)
);

-- The order of everything. `position` is dense from 1; `partition_number` is dense from 1 within
-- its partition, so that a reader of one partition can tell a hole from an end.
CREATE TABLE log (
    position         bigint           NOT NULL PRIMARY KEY,
    partition_number bigint           NOT NULL,
    sequence         bigint           NOT NULL,
    -- First eight bytes of SHA-256 of the routing key: finds everything about one partner with an
    -- index of integers. Readers compare the key itself as well.
    routing_hash     bigint           NOT NULL,
    event_id         uuid             NOT NULL,
    partition        smallint         NOT NULL,
    aggregate_type   text COLLATE "C" NOT NULL,
    aggregate_id     text COLLATE "C" NOT NULL,
    org_id           text COLLATE "C" NOT NULL,
    leaf_hash        bytea            NOT NULL,
    CONSTRAINT log_partition_number UNIQUE (partition, partition_number),
    CONSTRAINT log_event UNIQUE (event_id, partition)
);
CREATE INDEX log_routing ON log (routing_hash, position);

-- The one row that is locked while numbers are given out. `heads` holds the last
-- partition_number of partitions 0 to 15.
CREATE TABLE sequencer (
    id       smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    position bigint   NOT NULL,
    heads    bigint[] NOT NULL CHECK (array_length(heads, 1) = 16)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
INSERT INTO sequencer (id, position, heads) VALUES (1, 0, array_fill(0::bigint, ARRAY[16]));

-- Moves up to `batch` committed outbox rows into the log, in the order of their ids.
-- Every statement of a volatile function sees what was committed before that statement, so the
-- outbox is read as of a moment after the lock was granted. `enable_seqscan` is off because the
-- plan outlives the statistics: at an empty moment a scan looks cheaper than the index.
CREATE FUNCTION sequence_outbox(batch integer)
RETURNS TABLE (taken bigint, head bigint, partition_heads bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    before   bigint;
    old      bigint[];
    moved    bigint;
    numbered bigint;
    fresh    bigint[];
BEGIN
    -- An idle sequencer must not write: a row lock is a write.
    IF NOT EXISTS (SELECT 1 FROM outbox) THEN
        RETURN QUERY SELECT 0::bigint, s.position, s.heads FROM sequencer s WHERE s.id = 1;
        RETURN;
    END IF;
    -- Do not wait for the disk. A crash may take the last numbers back, and with them everything
    -- in this database that was derived from them, since the write-ahead log is one sequence; the
    -- events themselves are safe and get new numbers. What leaves the database has to wait until
    -- its position is on disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT s.position, s.heads INTO STRICT before, old FROM sequencer s WHERE s.id = 1 FOR UPDATE;
    WITH gone AS (
        DELETE FROM outbox o
        WHERE o.id <= (SELECT max(c.id) FROM (SELECT id FROM outbox ORDER BY id LIMIT batch) c)
        RETURNING o.*
    ), spread AS (
        SELECT g.id, g.partition AS part, g.sequence, g.routing_hash, g.event_id,
               g.aggregate_type, g.aggregate_id, g.org_id, g.leaf_hash
        FROM gone g WHERE g.partition >= 0
        UNION ALL
        SELECT g.id, p::smallint, g.sequence, g.routing_hash, g.event_id,
               g.aggregate_type, g.aggregate_id, g.org_id, g.leaf_hash
        FROM gone g CROSS JOIN generate_series(0, 15) p WHERE g.partition = -1
    ), placed AS (
        INSERT INTO log (position, partition_number, sequence, routing_hash, event_id, partition,
                         aggregate_type, aggregate_id, org_id, leaf_hash)
        SELECT before + row_number() OVER (ORDER BY s.id, s.part),
               old[s.part + 1] + row_number() OVER (PARTITION BY s.part ORDER BY s.id),
               s.sequence, s.routing_hash, s.event_id, s.part,
               s.aggregate_type, s.aggregate_id, s.org_id, s.leaf_hash
        FROM spread s
        RETURNING log.partition
    ), counted AS (
        SELECT l.partition AS part, count(*) AS rows FROM placed l GROUP BY l.partition
    )
    SELECT (SELECT count(*) FROM gone), coalesce(sum(c.rows), 0)::bigint,
           array_agg(old[p + 1] + coalesce(c.rows, 0) ORDER BY p)
    INTO moved, numbered, fresh
    FROM generate_series(0, 15) p LEFT JOIN counted c ON c.part = p;
    IF numbered > 0 THEN
        UPDATE sequencer s SET position = before + numbered, heads = fresh WHERE s.id = 1;
    END IF;
    RETURN QUERY SELECT moved, before + numbered, fresh;
END
$$;

-- What is written stays written, whoever asks: superusers and owners are stopped by the triggers,
-- everybody else already by the missing privilege. Statement triggers on the parent do not fire
-- for statements that name a partition, so each partition has its own.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is not allowed', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['log', 'events', 'events_0', 'events_1', 'events_2', 'events_3',
                                'events_4', 'events_5', 'events_6', 'events_7'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', name);
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM PUBLIC, CURRENT_USER', name);
    END LOOP;
END
$$;
