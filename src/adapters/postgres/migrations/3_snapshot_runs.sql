-- Up Migration

-- What was stored key by key is rebuilt from the log.
DROP TABLE task_snapshot;
UPDATE task SET snapshot_offset = 0;

CREATE TABLE task_snapshot (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  bucket int NOT NULL,
  run bigint NOT NULL,
  raw_bytes bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (pipeline, log_partition, bucket, run)
);
ALTER TABLE task_snapshot ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE task_snapshot IS 'State of tasks: compressed runs of keys, a later run of a bucket over an earlier one';

-- Down Migration

DROP TABLE task_snapshot;
UPDATE task SET snapshot_offset = 0;

CREATE TABLE task_snapshot (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  key text NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (pipeline, log_partition, key)
) WITH (fillfactor = 70);
ALTER TABLE task_snapshot ALTER COLUMN state SET STORAGE EXTERNAL;
