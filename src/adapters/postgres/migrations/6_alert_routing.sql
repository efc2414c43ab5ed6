-- Up Migration

CREATE TABLE alert_router (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  epoch bigint NOT NULL DEFAULT 0,
  owner text,
  leased_until timestamptz NOT NULL DEFAULT '-infinity',
  next_group bigint NOT NULL DEFAULT 0,
  source text NOT NULL DEFAULT '',
  document text NOT NULL DEFAULT '',
  problem text,
  reported_at timestamptz
);
COMMENT ON TABLE alert_router IS 'Who routes alerts: the epoch fences whoever did before. And by which document';
INSERT INTO alert_router DEFAULT VALUES;

CREATE TABLE alert_change (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id uuid,
  untold boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE alert_change IS 'Alerts, or where alert_id is null silences, that routing has not seen since they changed';

CREATE TABLE alert_group (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  route text NOT NULL,
  labels jsonb NOT NULL,
  sequence int NOT NULL,
  flush_at timestamptz NOT NULL,
  notified_at timestamptz,
  escalated_at jsonb NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE alert_group_member (
  group_id uuid NOT NULL REFERENCES alert_group (id) ON DELETE CASCADE,
  alert_id uuid NOT NULL,
  told text NOT NULL,
  told_at timestamptz,
  escalated int NOT NULL,
  PRIMARY KEY (group_id, alert_id)
) WITH (fillfactor = 70);
CREATE INDEX alert_group_member_by_alert ON alert_group_member (alert_id);

CREATE TABLE notification (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  group_id uuid NOT NULL,
  sequence int NOT NULL,
  kind text NOT NULL,
  step int NOT NULL,
  route text NOT NULL,
  receiver text NOT NULL,
  channels jsonb NOT NULL,
  group_labels jsonb NOT NULL,
  at timestamptz NOT NULL,
  firing_count int NOT NULL,
  resolved_count int NOT NULL
);
COMMENT ON TABLE notification IS 'What routing decided to tell whom, once per flush of a group; delivery reads it from here';
CREATE INDEX notification_by_time ON notification (tenant_id, at DESC, id);

CREATE TABLE notification_alert (
  notification_id uuid NOT NULL REFERENCES notification (id),
  alert_id uuid NOT NULL,
  status text NOT NULL,
  PRIMARY KEY (notification_id, alert_id)
);
CREATE INDEX notification_alert_by_alert ON notification_alert (alert_id);

CREATE TABLE silence (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  matchers jsonb NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  reason text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL,
  revision int NOT NULL DEFAULT 1
);
CREATE INDEX silence_by_end ON silence (tenant_id, ends_at DESC, id);

CREATE TABLE silence_revision (
  silence_id uuid NOT NULL REFERENCES silence (id),
  revision int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('created', 'changed', 'ended')),
  matchers jsonb NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  reason text NOT NULL,
  author text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (silence_id, revision)
);

-- Whoever changes an alert tells routing in the same transaction: nothing is missed, whatever is killed.
CREATE FUNCTION note_new_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alert_change (alert_id) SELECT id FROM now_there WHERE shown_status <> 'resolved' ORDER BY id;
  RETURN NULL;
END
$$;
CREATE TRIGGER alert_appears AFTER INSERT ON alert REFERENCING NEW TABLE AS now_there
  FOR EACH STATEMENT EXECUTE FUNCTION note_new_alerts();

CREATE FUNCTION note_changed_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alert_change (alert_id, untold)
  SELECT n.id, o.resolved_at IS NOT NULL AND n.resolved_at IS NULL
  FROM was_there o JOIN now_there n USING (id)
  WHERE (o.shown_status, o.severity, o.labels, o.acknowledged_at IS NULL)
    IS DISTINCT FROM (n.shown_status, n.severity, n.labels, n.acknowledged_at IS NULL)
  ORDER BY n.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER alert_changes AFTER UPDATE ON alert
  REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_alerts();

-- What is open when routing comes is routed too.
INSERT INTO alert_change (alert_id) SELECT id FROM alert WHERE shown_status <> 'resolved';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON alert_group, alert_group_member, notification, notification_alert, silence,
      silence_revision TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP TRIGGER alert_appears ON alert;
DROP TRIGGER alert_changes ON alert;
DROP FUNCTION note_new_alerts, note_changed_alerts;
DROP TABLE silence_revision, silence, notification_alert, notification, alert_group_member, alert_group,
  alert_change, alert_router;
