-- What operators do with parked events, as functions of the owner: an account that only answers
-- questions may call them, and may write nothing else.

-- Asks for another try of everything parked under a key; gives the number of events.
CREATE FUNCTION bus.retry_parked(of_consumer text, of_version integer, of_key text)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    released bigint;
BEGIN
    UPDATE bus.parked SET retry = true
    WHERE consumer = of_consumer AND version = of_version AND routing_key = of_key;
    GET DIAGNOSTICS released = ROW_COUNT;
    RETURN released;
END
$$;

-- Gives up the first parked event of its key for good. It leaves `bus.parked` for `bus.given_up`
-- with name and reason, never without. `first` is the number of the first event of its key: none
-- when nothing is parked there, another number when an earlier event has to go first. `released`
-- counts the later events that are tried again.
CREATE FUNCTION bus.give_up(of_consumer text, of_version integer, of_partition smallint,
                            of_number bigint, by_actor text, for_reason text,
                            OUT first bigint, OUT released bigint)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_key text;
BEGIN
    SELECT p.routing_key, (SELECT min(f.partition_number) FROM bus.parked f
        WHERE f.consumer = of_consumer AND f.version = of_version AND f.partition = of_partition
          AND f.routing_key = p.routing_key)
    INTO of_key, first
    FROM bus.parked p
    WHERE p.consumer = of_consumer AND p.version = of_version AND p.partition = of_partition
      AND p.partition_number = of_number
    FOR UPDATE;
    IF first IS DISTINCT FROM of_number THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM bus.parked
        WHERE consumer = of_consumer AND version = of_version AND partition = of_partition
          AND partition_number = of_number
        RETURNING *
    )
    INSERT INTO bus.given_up (consumer, version, partition, partition_number, org_id, routing_key,
                              event_id, event_type, error, parked_at, actor, reason)
    SELECT consumer, version, partition, partition_number, org_id, routing_key, event_id,
           event_type, error, parked_at, by_actor, for_reason
    FROM gone;
    UPDATE bus.parked SET retry = true
    WHERE consumer = of_consumer AND version = of_version AND partition = of_partition
      AND routing_key = of_key;
    GET DIAGNOSTICS released = ROW_COUNT;
END
$$;

REVOKE ALL ON FUNCTION bus.retry_parked, bus.give_up FROM PUBLIC;
