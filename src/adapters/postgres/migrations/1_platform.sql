-- Up Migration

CREATE TABLE task (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  epoch bigint NOT NULL,
  next_offset bigint NOT NULL,
  watermark_ms bigint NOT NULL,
  snapshot_offset bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, log_partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE task IS 'How far each task has got, and who owns it: the epoch fences whoever held it before';

CREATE TABLE task_snapshot (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  key text NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (pipeline, log_partition, key)
) WITH (fillfactor = 70);
ALTER TABLE task_snapshot ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE task_journal (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  tick_ms bigint NOT NULL,
  reference_versions jsonb NOT NULL,
  broadcast_offsets jsonb NOT NULL,
  PRIMARY KEY (pipeline, log_partition, log_offset)
);
COMMENT ON TABLE task_journal IS 'What batches saw besides their events, from log_offset on: a replay sees the same';

CREATE TABLE alert (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  rule text NOT NULL,
  rule_version int NOT NULL,
  severity text NOT NULL,
  entity_type text NOT NULL,
  entity_id text NOT NULL,
  status text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz,
  updated_at timestamptz NOT NULL,
  revision int NOT NULL,
  summary text NOT NULL,
  labels jsonb NOT NULL,
  value jsonb NOT NULL,
  peak jsonb NOT NULL,
  event_count int NOT NULL,
  withdrawn boolean NOT NULL,
  topic text NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  changed_by jsonb NOT NULL,
  received_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  assignee text,
  note text
);
CREATE INDEX alert_by_time ON alert (tenant_id, starts_at DESC, id);
CREATE INDEX alert_by_entity ON alert (tenant_id, entity_id, starts_at DESC);
CREATE INDEX alert_open ON alert (tenant_id, severity, starts_at DESC) WHERE status <> 'resolved';
CREATE INDEX alert_by_place ON alert (topic, log_partition, log_offset);

CREATE TABLE alert_transition (
  alert_id uuid NOT NULL,
  revision int NOT NULL,
  status text NOT NULL,
  severity text NOT NULL,
  at timestamptz NOT NULL,
  document jsonb NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (alert_id, revision)
);

CREATE TABLE alert_comment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id uuid NOT NULL REFERENCES alert (id),
  author text NOT NULL,
  text text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_comment_by_alert ON alert_comment (alert_id, created_at);

CREATE TABLE dead_letter (
  id uuid PRIMARY KEY,
  topic text NOT NULL,
  received_at timestamptz NOT NULL,
  tenant_id text NOT NULL,
  door text NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  path text NOT NULL,
  raw text NOT NULL,
  raw_encoding text NOT NULL,
  log_topic text,
  log_partition int,
  log_offset bigint,
  replayed_at timestamptz
);
CREATE INDEX dead_letter_by_time ON dead_letter (tenant_id, received_at DESC, id);
CREATE INDEX dead_letter_by_place ON dead_letter (log_topic, log_partition, log_offset);

CREATE TABLE outbox (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  tenant_id text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE started_at IS NULL;

CREATE TABLE window_kpi (
  window_name text NOT NULL,
  log_partition int NOT NULL,
  group_key text NOT NULL,
  tenant_id text NOT NULL,
  window_start timestamptz NOT NULL,
  window_end timestamptz NOT NULL,
  values jsonb NOT NULL,
  revision int NOT NULL,
  final boolean NOT NULL,
  PRIMARY KEY (window_name, tenant_id, window_start, group_key, log_partition)
);

CREATE TABLE reference_version (
  name text NOT NULL,
  version int NOT NULL,
  tag text NOT NULL,
  content json NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, version)
);
COMMENT ON COLUMN reference_version.content IS 'json, not jsonb: a replay sees the same order of fields';

-- The role belongs to the whole server: another database may have made it, or be making it now; and
-- where we may not make roles, the tables are simply readable by nobody else.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    CREATE ROLE outrider_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE WARNING 'The role outrider_reader could not be made: SQL tools have no role to read with';
END
$$;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT USAGE ON SCHEMA public TO outrider_reader;
    GRANT SELECT ON task, alert, alert_transition, alert_comment, dead_letter, window_kpi
      TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP TABLE reference_version, window_kpi, outbox, dead_letter, alert_comment, alert_transition, alert,
  task_journal, task_snapshot, task;
