-- When each API key was last used. Not a fact of the business: it may be lost, and nothing is
-- decided by it. The keys themselves are events.
CREATE SCHEMA IF NOT EXISTS access;

CREATE TABLE access.key_uses (
    org_id text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, key_id)
) WITH (fillfactor = 70);
