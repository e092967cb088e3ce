-- What was observed around an enrollment, as its partition of the log has said so far.
ALTER TABLE eval.enrollments ADD COLUMN surroundings json;

-- One row per org that was ever surveyed: whoever surveys it holds its lock meanwhile.
CREATE TABLE eval.surveys (
    org_id text COLLATE "C" PRIMARY KEY
);
