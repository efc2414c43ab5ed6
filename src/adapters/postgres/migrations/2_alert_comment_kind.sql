-- Up Migration

ALTER TABLE alert_comment
  ADD COLUMN kind text NOT NULL DEFAULT 'comment'
    CHECK (kind IN ('comment', 'acknowledge', 'unacknowledge', 'assign'));
COMMENT ON COLUMN alert_comment.kind IS 'What was done when it was said: the timeline of an alert shows both';

-- Down Migration

ALTER TABLE alert_comment DROP COLUMN kind;
