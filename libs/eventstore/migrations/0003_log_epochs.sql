-- The lives of the log. A restore or a failover that lost the tail begins again from an earlier
-- position; what was handed out under later numbers is void then. Each life has a random id, so
-- that whoever kept something of an earlier one can tell.
CREATE TABLE log_epochs (
    ordinal      integer          NOT NULL PRIMARY KEY CHECK (ordinal > 0),
    epoch        uuid             NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    -- The last position that is shared with the epoch before.
    begins_after bigint           NOT NULL CHECK (begins_after >= 0),
    started_at   timestamptz      NOT NULL DEFAULT clock_timestamp(),
    actor        text COLLATE "C" NOT NULL,
    reason       text COLLATE "C" NOT NULL,
    -- What was handed out and does not hold: [{"partition": 3, "from": 812, "to": 840}].
    void         jsonb            NOT NULL DEFAULT '[]'
);
INSERT INTO log_epochs (ordinal, begins_after, actor, reason)
VALUES (1, 0, 'tierline', 'the log was made');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_epochs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE log_epochs ENABLE ALWAYS TRIGGER append_only;
