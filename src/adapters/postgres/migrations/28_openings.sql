-- Up Migration

ALTER TABLE workflow
  ADD COLUMN steps jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN waits_until timestamptz,
  ADD COLUMN ended_in_opening boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN workflow.steps IS 'Of its opening: what it did before it first had to wait. Steps after that are in schema dbos';
COMMENT ON COLUMN workflow.waits_until IS 'Until when it waited at the end of its opening; null where it did not come so far';
COMMENT ON COLUMN workflow.ended_in_opening IS 'It ended without having had to wait: schema dbos knows nothing of it';

-- Down Migration

ALTER TABLE workflow DROP COLUMN steps, DROP COLUMN waits_until, DROP COLUMN ended_in_opening;
