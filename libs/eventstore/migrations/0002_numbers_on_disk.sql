-- Moves up to `batch` committed outbox rows into the log, in the order of their ids.
-- Every statement of a volatile function sees what was committed before that statement, so the
-- outbox is read as of a moment after the lock was granted. `enable_seqscan` is off because the
-- plan outlives the statistics: at an empty moment a scan looks cheaper than the index.
--
-- A number is on disk before anybody sees it. It would be faster not to wait: the events are safe
-- already and could be numbered again after a crash. But then a reader that was quick would hold
-- events under numbers that others have now, and a consumer that survived the crash of the server
-- could apply them under its checkpoint.
CREATE OR REPLACE FUNCTION sequence_outbox(batch integer)
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
