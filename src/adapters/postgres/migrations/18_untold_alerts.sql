-- Up Migration

ALTER TABLE task ADD COLUMN untold uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN task.untold IS 'Alerts that were recorded and not yet confirmed to be told: the next owner tells them again';

-- Down Migration

ALTER TABLE task DROP COLUMN untold;
