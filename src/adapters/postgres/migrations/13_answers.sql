-- Up Migration

CREATE TABLE signing_key (
  purpose text PRIMARY KEY,
  key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE signing_key IS 'Keys that the program made for itself, such as for links that people answer by';

CREATE TABLE answer_request (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  workflow_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('reschedule', 'join')),
  asked text NOT NULL,
  document jsonb NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  answered_at timestamptz,
  answer jsonb
);
CREATE INDEX answer_request_by_workflow ON answer_request (workflow_id);
COMMENT ON TABLE answer_request IS 'What somebody outside is asked by signed links; the first answer counts and uses all of them up';

ALTER TABLE message ADD COLUMN asked_by uuid;
CREATE INDEX message_by_asker ON message (asked_by) WHERE asked_by IS NOT NULL;
COMMENT ON COLUMN message.asked_by IS 'The workflow that asked for it; workflow_id is the one that delivers it';

-- A workflow hears when people or the stream change the alert that it is about.
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
  INSERT INTO outbox (id, kind, tenant_id, payload)
  SELECT derived_id('alert-signal', n.id::text, n.revision::text, n.handling_revision::text), 'signal', n.tenant_id,
    jsonb_build_object('workflowId', derived_id('workflow', n.id::text, n.labels ->> 'workflow'),
      'topic', 'answer', 'value', jsonb_build_object('kind', 'alert', 'status', n.shown_status,
        'acknowledgedBy', n.acknowledged_by))
  FROM was_there o JOIN now_there n USING (id)
  WHERE n.labels ? 'workflow'
    AND (o.shown_status = 'firing' AND n.shown_status = 'resolved'
      OR o.acknowledged_at IS NULL AND n.acknowledged_at IS NOT NULL)
  ORDER BY n.id
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END
$$;

-- Down Migration

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
ALTER TABLE message DROP COLUMN asked_by;
DROP TABLE answer_request, signing_key;
