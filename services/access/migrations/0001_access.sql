-- When each API key was last used. Not a fact of the business: it may be lost, and nothing is
-- decided by it. The keys themselves are events.
CREATE SCHEMA IF NOT EXISTS access;

CREATE TABLE access.key_uses (
    org_id text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, key_id)
) WITH (fillfactor = 70);

-- As a function of the owner, so that an account that only answers questions may note which key it
-- was asked with, and may write nothing else. To the minute: a key in constant use changes its row
-- once a minute and no more.
CREATE FUNCTION access.note_key_uses(orgs text[], keys text[], micros bigint[])
RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO access.key_uses AS known (org_id, key_id, used_at)
    SELECT n.org, n.key, date_trunc('minute', to_timestamp(n.micros / 1000000.0))
    FROM unnest(orgs, keys, micros) AS n(org, key, micros)
    ON CONFLICT (org_id, key_id) DO UPDATE SET used_at = excluded.used_at
    WHERE known.used_at < excluded.used_at
$$;
REVOKE ALL ON FUNCTION access.note_key_uses FROM PUBLIC;
