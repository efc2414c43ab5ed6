-- Up Migration

-- The ten minutes that go on are written anew every minute: with room on their page the indexes need not know.
ALTER TABLE driving_period SET (fillfactor = 70);
COMMENT ON COLUMN drive.ends_at IS 'Newest reading on the move; of a drive under way five minutes behind at most';

-- Down Migration

COMMENT ON COLUMN drive.ends_at IS 'Newest reading on the move; of a drive under way a minute behind at most';
ALTER TABLE driving_period RESET (fillfactor);
