-- Keys collate as "C" here as everywhere else: compared as bytes, and joined with the read models
-- by index.
ALTER TABLE eval.orgs ALTER COLUMN org_id TYPE text COLLATE "C";
ALTER TABLE eval.partners
    ALTER COLUMN org_id TYPE text COLLATE "C",
    ALTER COLUMN partner_id TYPE text COLLATE "C";
ALTER TABLE eval.enrollments
    ALTER COLUMN org_id TYPE text COLLATE "C",
    ALTER COLUMN partner_id TYPE text COLLATE "C",
    ALTER COLUMN enrollment_id TYPE text COLLATE "C",
    ALTER COLUMN program_id TYPE text COLLATE "C";
ALTER TABLE eval.facts
    ALTER COLUMN org_id TYPE text COLLATE "C",
    ALTER COLUMN partner_id TYPE text COLLATE "C",
    ALTER COLUMN aggregate_type TYPE text COLLATE "C",
    ALTER COLUMN fact_id TYPE text COLLATE "C";

-- Enrollments change with nearly every fact: new versions of a row need room on its page.
ALTER TABLE eval.enrollments SET (fillfactor = 70);
