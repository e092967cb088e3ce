-- Enrollments change with nearly every fact: new versions of a row need room on its page.
ALTER TABLE eval.enrollments SET (fillfactor = 70);
