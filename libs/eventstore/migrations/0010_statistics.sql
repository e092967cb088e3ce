-- Only the owner of a table may analyze it; to anybody else PostgreSQL says a warning and does
-- nothing. The job that keeps the statistics fresh need not be the owner, so it asks for it here.
CREATE FUNCTION refresh_statistics(of_table text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF of_table NOT IN ('events', 'log', 'claims', 'receipts') THEN
        RAISE EXCEPTION 'table % is not one of the event store', of_table;
    END IF;
    EXECUTE format('ANALYZE public.%I', of_table);
END
$$;
REVOKE ALL ON FUNCTION refresh_statistics FROM PUBLIC;
