-- The state of a row is written far more often than any of its parts is asked for by SQL: plain JSON
-- is stored as it is written. Rows that change with nearly every event need room on their page.
ALTER TABLE read.partners ALTER COLUMN state TYPE json USING state::json;
ALTER TABLE read.standings ALTER COLUMN state TYPE json USING state::json;
ALTER TABLE read.tier_history ALTER COLUMN state TYPE json USING state::json;
ALTER TABLE read.programs ALTER COLUMN state TYPE json USING state::json;
ALTER TABLE read.partners SET (fillfactor = 70);
ALTER TABLE read.standings SET (fillfactor = 70);
