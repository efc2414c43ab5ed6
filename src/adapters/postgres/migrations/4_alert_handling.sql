-- Up Migration

-- What people and the routing do about an alert lies over what the stream says, in columns of its own:
-- a replay compares the stream's, screens show both.
ALTER TABLE alert
  ADD COLUMN resolved_at timestamptz,
  ADD COLUMN resolved_by text,
  ADD COLUMN resolved_severity text,
  ADD COLUMN false_alarm_at timestamptz,
  ADD COLUMN false_alarm_by text,
  ADD COLUMN silenced_by uuid[] NOT NULL DEFAULT '{}',
  ADD COLUMN inhibited_by uuid[] NOT NULL DEFAULT '{}',
  ADD COLUMN handling_revision int NOT NULL DEFAULT 0,
  ADD COLUMN handled_at timestamptz,
  ADD COLUMN shown_status text NOT NULL
    GENERATED ALWAYS AS (CASE WHEN resolved_at IS NOT NULL THEN 'resolved' ELSE status END) STORED;
COMMENT ON COLUMN alert.status IS 'What the stream says; shown_status is what people are shown';
COMMENT ON COLUMN alert.shown_status IS 'As status, but resolved where somebody resolved the alert by hand';
COMMENT ON COLUMN alert.resolved_severity IS 'At the time of the manual resolve: a worse one reopens the alert';
COMMENT ON COLUMN alert.handling_revision IS 'Grows with every change of the columns that are not the stream''s';

UPDATE alert SET handled_at = now(), handling_revision = 1
  WHERE acknowledged_at IS NOT NULL OR assignee IS NOT NULL;

DROP INDEX alert_open;
CREATE INDEX alert_open ON alert (tenant_id, severity, starts_at DESC) WHERE shown_status <> 'resolved';
CREATE INDEX alert_by_handling ON alert (handled_at) WHERE handled_at IS NOT NULL;

ALTER TABLE alert_comment DROP CONSTRAINT alert_comment_kind_check;
ALTER TABLE alert_comment ADD CONSTRAINT alert_comment_kind_check CHECK (kind IN (
  'comment', 'acknowledge', 'unacknowledge', 'assign', 'resolve', 'reopen', 'false-alarm',
  'not-false-alarm', 'silenced', 'not-silenced', 'inhibited', 'not-inhibited'));

CREATE FUNCTION severity_rank(severity text) RETURNS int LANGUAGE sql IMMUTABLE AS
  $$ SELECT array_position(ARRAY['info', 'warning', 'minor', 'major', 'critical'], severity) $$;

-- A manual resolve holds until the stream has news that it did not know of: the alert fires again after it
-- had ended, or gets worse than it was.
CREATE FUNCTION reopen_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'resolved' AND NEW.resolved_at IS NOT DISTINCT FROM OLD.resolved_at
    AND (OLD.status = 'resolved' OR severity_rank(NEW.severity) > severity_rank(OLD.resolved_severity))
  THEN
    INSERT INTO alert_comment (alert_id, author, kind, text) VALUES (OLD.id, 'outrider', 'reopen',
      CASE WHEN OLD.status = 'resolved' THEN 'It fires again.'
        ELSE 'It became ' || NEW.severity || '; it was ' || OLD.resolved_severity || ' when it was resolved.'
      END);
    NEW.resolved_at := NULL;
    NEW.resolved_by := NULL;
    NEW.resolved_severity := NULL;
    NEW.handling_revision := OLD.handling_revision + 1;
    NEW.handled_at := now();
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER alert_reopens BEFORE UPDATE OF status, severity ON alert
  FOR EACH ROW WHEN (OLD.resolved_at IS NOT NULL) EXECUTE FUNCTION reopen_alert();

-- Down Migration

DROP TRIGGER alert_reopens ON alert;
DROP FUNCTION reopen_alert, severity_rank;
DELETE FROM alert_comment WHERE kind NOT IN ('comment', 'acknowledge', 'unacknowledge', 'assign');
ALTER TABLE alert_comment DROP CONSTRAINT alert_comment_kind_check;
ALTER TABLE alert_comment ADD CONSTRAINT alert_comment_kind_check
  CHECK (kind IN ('comment', 'acknowledge', 'unacknowledge', 'assign'));
DROP INDEX alert_open, alert_by_handling;
ALTER TABLE alert DROP COLUMN shown_status, DROP COLUMN resolved_at, DROP COLUMN resolved_by,
  DROP COLUMN resolved_severity, DROP COLUMN false_alarm_at, DROP COLUMN false_alarm_by,
  DROP COLUMN silenced_by, DROP COLUMN inhibited_by, DROP COLUMN handling_revision,
  DROP COLUMN handled_at;
CREATE INDEX alert_open ON alert (tenant_id, severity, starts_at DESC) WHERE status <> 'resolved';
