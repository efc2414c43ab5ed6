-- Up Migration

-- Nobody acted on the outbox before: what lies there is of the past.
UPDATE outbox SET started_at = now() WHERE started_at IS NULL;
ALTER TABLE outbox
  ADD COLUMN not_before timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN claimed_by text;
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (not_before, id) WHERE started_at IS NULL AND claimed_by IS NULL;
CREATE INDEX outbox_claimed ON outbox (claimed_by) WHERE started_at IS NULL AND claimed_by IS NOT NULL;
CREATE INDEX outbox_started ON outbox (started_at) WHERE started_at IS NOT NULL;
COMMENT ON TABLE outbox IS 'Effects that wait to be handed to the workflows; the id is derived from the cause, so that asking twice is asking once';
COMMENT ON COLUMN outbox.kind IS 'Name of the workflow to start; or signal, or retry';
COMMENT ON COLUMN outbox.started_at IS 'When it was handed over';

CREATE TABLE work_executor (
  id text PRIMARY KEY,
  started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL
);
COMMENT ON TABLE work_executor IS 'Processes that run workflows. What one leaves that is not seen any more, another finishes';

CREATE TABLE workflow (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  tenant_id text NOT NULL,
  input jsonb NOT NULL,
  entity_type text,
  entity_id text,
  alert_id uuid,
  status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed')),
  outcome text,
  detail jsonb,
  runs int NOT NULL DEFAULT 1,
  requested_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX workflow_by_time ON workflow (tenant_id, started_at DESC, id);
CREATE INDEX workflow_by_alert ON workflow (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX workflow_by_entity ON workflow (tenant_id, entity_id, started_at DESC) WHERE entity_id IS NOT NULL;
CREATE INDEX workflow_open ON workflow (tenant_id, started_at DESC, id) WHERE status <> 'done';
COMMENT ON TABLE workflow IS 'Each workflow that was started, with how it ended; its steps are in schema dbos';

CREATE TABLE message (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  workflow_id uuid NOT NULL,
  template text NOT NULL,
  category text NOT NULL,
  severity text NOT NULL,
  channel text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('email', 'webhook', 'slack', 'teams', 'inbox')),
  address text NOT NULL,
  subject text NOT NULL,
  content jsonb NOT NULL,
  status text NOT NULL CHECK (status IN
    ('queued', 'held', 'grouped', 'retrying', 'sent', 'kept', 'suppressed', 'dead')),
  reason text,
  attempts int NOT NULL DEFAULT 0,
  due_at timestamptz,
  group_id uuid,
  entity_type text,
  entity_id text,
  alert_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX message_by_time ON message (tenant_id, created_at DESC, id);
CREATE INDEX message_by_workflow ON message (workflow_id);
CREATE INDEX message_by_group ON message (group_id, created_at) WHERE group_id IS NOT NULL;
CREATE INDEX message_by_alert ON message (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX message_by_entity ON message (tenant_id, entity_id, created_at DESC) WHERE entity_id IS NOT NULL;
COMMENT ON TABLE message IS 'What was told to whom by which channel, or why not; the id is derived from the cause';
COMMENT ON COLUMN message.status IS 'queued: goes now. held: due_at says when it goes. grouped: goes with the message group_id. retrying: failed, will be tried again. sent: the other side took it. kept: no server is set, it can be read here. suppressed: the receiver does not want it. dead: given up';

CREATE TABLE message_attempt (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id uuid NOT NULL REFERENCES message (id),
  attempt int NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  took_ms int NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('sent', 'kept', 'failed', 'refused')),
  response text NOT NULL
);
CREATE INDEX message_attempt_by_message ON message_attempt (message_id, number);

CREATE TABLE message_gate (
  tenant_id text NOT NULL,
  kind text NOT NULL,
  address text NOT NULL,
  state jsonb NOT NULL,
  PRIMARY KEY (tenant_id, kind, address)
) WITH (fillfactor = 70);
COMMENT ON TABLE message_gate IS 'What each address was sent lately, so that a storm sends few messages';

CREATE TABLE contact_preference (
  tenant_id text NOT NULL,
  address text NOT NULL,
  zone text NOT NULL,
  quiet_from text,
  quiet_to text,
  refused text[] NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by text NOT NULL,
  PRIMARY KEY (tenant_id, address)
);
COMMENT ON TABLE contact_preference IS 'How a person wants to be written to: zone, quiet hours, categories refused';

ALTER TABLE alert_comment ADD COLUMN cause_id uuid UNIQUE;
COMMENT ON COLUMN alert_comment.cause_id IS 'Derived from what a workflow did, so that it is said once';

-- The same as derivedId of the program: SHA-256 of a JSON list, as a UUID of version 8.
CREATE FUNCTION derived_id(VARIADIC parts text[]) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(set_byte(set_byte(bytes, 6, (get_byte(bytes, 6) & 15) | 128), 8,
    (get_byte(bytes, 8) & 63) | 128), 'hex')::uuid
  FROM (SELECT substring(sha256(convert_to(
    '[' || (SELECT string_agg(to_json(part)::text, ',' ORDER BY at)
            FROM unnest(parts) WITH ORDINALITY AS p (part, at)) || ']', 'UTF8')) FOR 16) AS bytes) AS hashed
$$;

-- An alert whose label "workflow" names one starts it when it fires, once, in the same transaction.
CREATE FUNCTION ask_for_workflow(alert_id uuid, tenant_id text, labels jsonb, entity_type text, entity_id text)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (id, kind, tenant_id, payload)
  SELECT derived_id('workflow', alert_id::text, labels ->> 'workflow'), labels ->> 'workflow', tenant_id,
    jsonb_build_object('alertId', alert_id, 'about',
      jsonb_build_object('entityType', entity_type, 'entityId', entity_id, 'alertId', alert_id))
  ON CONFLICT (id) DO NOTHING
$$;

CREATE OR REPLACE FUNCTION note_new_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alert_change (alert_id) SELECT id FROM now_there WHERE shown_status <> 'resolved' ORDER BY id;
  PERFORM ask_for_workflow(id, tenant_id, labels, entity_type, entity_id) FROM now_there
    WHERE labels ? 'workflow' AND shown_status = 'firing' ORDER BY id;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION note_changed_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alert_change (alert_id, untold)
  SELECT n.id, o.resolved_at IS NOT NULL AND n.resolved_at IS NULL
  FROM was_there o JOIN now_there n USING (id)
  WHERE (o.shown_status, o.severity, o.labels, o.acknowledged_at IS NULL)
    IS DISTINCT FROM (n.shown_status, n.severity, n.labels, n.acknowledged_at IS NULL)
  ORDER BY n.id;
  PERFORM ask_for_workflow(n.id, n.tenant_id, n.labels, n.entity_type, n.entity_id)
  FROM was_there o JOIN now_there n USING (id)
  WHERE n.labels ? 'workflow' AND n.shown_status = 'firing' AND o.shown_status <> 'firing' ORDER BY n.id;
  RETURN NULL;
END
$$;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON workflow, message, message_attempt TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

CREATE OR REPLACE FUNCTION note_new_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alert_change (alert_id) SELECT id FROM now_there WHERE shown_status <> 'resolved' ORDER BY id;
  RETURN NULL;
END
$$;
CREATE OR REPLACE FUNCTION note_changed_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP FUNCTION ask_for_workflow, derived_id;
ALTER TABLE alert_comment DROP COLUMN cause_id;
DROP TABLE contact_preference, message_gate, message_attempt, message, workflow, work_executor;
DROP INDEX outbox_waiting, outbox_claimed, outbox_started;
ALTER TABLE outbox DROP COLUMN not_before, DROP COLUMN claimed_by;
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE started_at IS NULL;
