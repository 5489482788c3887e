-- Only what was done is remembered, so there is no status to tell.
ALTER TABLE es.commands DROP COLUMN status;
