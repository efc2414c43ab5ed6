-- Up Migration

CREATE TABLE rule_written (
  name text PRIMARY KEY,
  text text NOT NULL,
  author text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rule_written IS 'Rules written through the API, over the built-in ones';

CREATE TABLE rule_version (
  name text NOT NULL,
  version int NOT NULL,
  source text NOT NULL,
  tag text NOT NULL,
  document json NOT NULL,
  author text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, version)
);
COMMENT ON TABLE rule_version IS 'Every version of every rule that was in force; alerts name theirs';

-- Versions of tables that come one after the other, with no event between them, are told apart.
ALTER TABLE task_journal
  ADD COLUMN step int NOT NULL DEFAULT 0,
  DROP CONSTRAINT task_journal_pkey,
  ADD PRIMARY KEY (pipeline, log_partition, log_offset, step);

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON rule_version TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DELETE FROM task_journal earlier USING task_journal later
  WHERE earlier.pipeline = later.pipeline AND earlier.log_partition = later.log_partition
    AND earlier.log_offset = later.log_offset AND earlier.step < later.step;
ALTER TABLE task_journal
  DROP CONSTRAINT task_journal_pkey,
  DROP COLUMN step,
  ADD PRIMARY KEY (pipeline, log_partition, log_offset);
DROP TABLE rule_version, rule_written;
