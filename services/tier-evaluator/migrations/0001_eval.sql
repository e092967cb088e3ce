-- What the tier evaluator knows. All of it can be thrown away and rebuilt from the log by setting
-- its checkpoints to zero on empty tables and empty Standing streams.
CREATE SCHEMA eval;

-- The org as one partition knows it: calendar, clock, program versions, how far the rates.
CREATE TABLE eval.orgs (
    partition smallint NOT NULL,
    org_id    text     NOT NULL,
    state     json     NOT NULL,
    PRIMARY KEY (partition, org_id)
);

-- The partner without its contacts: what requirements may ask. No personal data.
CREATE TABLE eval.partners (
    org_id     text     NOT NULL,
    partner_id text     NOT NULL,
    partition  smallint NOT NULL,
    state      json     NOT NULL,
    PRIMARY KEY (org_id, partner_id)
);

-- Enrollments with their standing, and the timer: the next day on which time alone could change
-- something.
CREATE TABLE eval.enrollments (
    org_id        text     NOT NULL,
    partner_id    text     NOT NULL,
    enrollment_id text     NOT NULL,
    partition     smallint NOT NULL,
    program_id    text     NOT NULL,
    terms         json     NOT NULL,
    standing      json     NOT NULL,
    version       bigint   NOT NULL,
    next_change   date,
    PRIMARY KEY (org_id, partner_id, enrollment_id)
);
CREATE INDEX enrollments_due ON eval.enrollments (partition, org_id, next_change)
    WHERE next_change IS NOT NULL;
CREATE INDEX enrollments_program ON eval.enrollments (partition, org_id, program_id);

-- The present version of every fact. `currency` and `last_day` find the facts that new exchange
-- rates concern.
CREATE TABLE eval.facts (
    org_id         text     NOT NULL,
    partner_id     text     NOT NULL,
    aggregate_type text     NOT NULL,
    fact_id        text     NOT NULL,
    partition      smallint NOT NULL,
    currency       text,
    last_day       date,
    fact           json     NOT NULL,
    PRIMARY KEY (org_id, partner_id, aggregate_type, fact_id)
);
CREATE INDEX facts_currency ON eval.facts (partition, org_id, last_day)
    WHERE currency IS NOT NULL;
