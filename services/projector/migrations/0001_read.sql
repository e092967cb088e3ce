-- The read models. Everything here follows from the log and may be dropped and built again.
--
-- Common columns: `key` identifies the row within its org, `partition` and `position` are those of
-- the log event that last changed it, `state` is the whole row. The other columns repeat what
-- filters and orders need. Text collates as "C", so that an order means the same on every machine
-- and pages can be continued from any row.
CREATE SCHEMA read;
-- Where a changed read model is built while the old one still serves.
CREATE SCHEMA read_build;

-- The version of the code that built each table.
CREATE TABLE read.models (
    name     text        NOT NULL PRIMARY KEY,
    version  integer     NOT NULL,
    built_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO read.models (name, version) VALUES
    ('partners', 1), ('standings', 1), ('tier_history', 1), ('programs', 1);

CREATE TABLE read.partners (
    org_id       text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    partition    smallint         NOT NULL,
    position     bigint           NOT NULL,
    state        jsonb            NOT NULL,
    name         text COLLATE "C" NOT NULL,
    name_search  text COLLATE "C" NOT NULL,
    domain       text COLLATE "C" NOT NULL,
    partner_type text COLLATE "C" NOT NULL,
    status       text COLLATE "C" NOT NULL,
    stage        text COLLATE "C",
    region       text COLLATE "C",
    regions      text[] COLLATE "C" NOT NULL,
    country      text COLLATE "C",
    industry     text COLLATE "C",
    manager      text COLLATE "C",
    tags         text[] COLLATE "C" NOT NULL,
    -- Of the best open standing.
    tier         text COLLATE "C",
    tier_name    text COLLATE "C",
    -- 65535: no tier.
    tier_rank    integer          NOT NULL,
    -- Of the open standings.
    programs     text[] COLLATE "C" NOT NULL,
    tracks       text[] COLLATE "C" NOT NULL,
    create_time  timestamptz      NOT NULL,
    update_time  timestamptz      NOT NULL,
    PRIMARY KEY (org_id, key)
) WITH (fillfactor = 85);
CREATE INDEX partners_name ON read.partners (org_id, name_search, key);
CREATE INDEX partners_domain ON read.partners (org_id, domain);
CREATE INDEX partners_tier ON read.partners (org_id, tier_rank, key);
CREATE INDEX partners_create_time ON read.partners (org_id, create_time, key);

CREATE TABLE read.standings (
    org_id      text COLLATE "C" NOT NULL,
    -- The enrollment.
    key         text COLLATE "C" NOT NULL,
    partition   smallint         NOT NULL,
    position    bigint           NOT NULL,
    state       jsonb            NOT NULL,
    partner_id  text COLLATE "C" NOT NULL,
    program     text COLLATE "C" NOT NULL,
    track       text COLLATE "C" NOT NULL,
    tier        text COLLATE "C",
    tier_name   text COLLATE "C",
    -- 65535: no tier.
    tier_rank   integer          NOT NULL,
    tier_since  date,
    source      text COLLATE "C",
    -- The tier that a person pinned.
    pinned      text COLLATE "C",
    at_risk     boolean          NOT NULL,
    recommended text COLLATE "C",
    closed      boolean          NOT NULL,
    evaluated   date,
    version     bigint           NOT NULL,
    update_time timestamptz      NOT NULL,
    PRIMARY KEY (org_id, key)
) WITH (fillfactor = 85);
CREATE INDEX standings_partner ON read.standings (org_id, partner_id);
CREATE INDEX standings_program ON read.standings (org_id, program, track, tier_rank);

CREATE TABLE read.tier_history (
    org_id      text COLLATE "C" NOT NULL,
    -- The enrollment.
    key         text COLLATE "C" NOT NULL,
    -- Version of the stream of the standing after the decision.
    sequence    bigint           NOT NULL,
    partition   smallint         NOT NULL,
    position    bigint           NOT NULL,
    state       jsonb            NOT NULL,
    decision_id uuid             NOT NULL,
    partner_id  text COLLATE "C" NOT NULL,
    program     text COLLATE "C" NOT NULL,
    track       text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    from_tier   text COLLATE "C",
    tier        text COLLATE "C" NOT NULL,
    direction   text COLLATE "C",
    cause       text COLLATE "C",
    source      text COLLATE "C" NOT NULL,
    as_of       date             NOT NULL,
    record_time timestamptz      NOT NULL,
    PRIMARY KEY (org_id, key, sequence)
);
CREATE UNIQUE INDEX tier_history_decision ON read.tier_history (org_id, decision_id);
CREATE INDEX tier_history_order ON read.tier_history (org_id, position);
CREATE INDEX tier_history_partner ON read.tier_history (org_id, partner_id, position);
CREATE INDEX tier_history_program ON read.tier_history (org_id, program, position);

CREATE TABLE read.programs (
    org_id         text COLLATE "C" NOT NULL,
    key            text COLLATE "C" NOT NULL,
    partition      smallint         NOT NULL,
    position       bigint           NOT NULL,
    state          jsonb            NOT NULL,
    name           text COLLATE "C" NOT NULL,
    newest_version integer          NOT NULL,
    effective_date date,
    currency       text COLLATE "C",
    archived       boolean          NOT NULL,
    PRIMARY KEY (org_id, key)
);
