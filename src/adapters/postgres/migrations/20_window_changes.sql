-- Up Migration

CREATE TABLE window_change (
  window_name text NOT NULL,
  tenant_id text NOT NULL,
  span_start timestamptz NOT NULL,
  log_partition int NOT NULL,
  changes bigint NOT NULL,
  PRIMARY KEY (window_name, tenant_id, span_start, log_partition)
) WITH (fillfactor = 70);
COMMENT ON TABLE window_change IS
  'How often windows that begin in an hour were recorded, amended or taken away: what was read of them is still true where it is the same';

CREATE FUNCTION window_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO window_change AS known (window_name, tenant_id, span_start, log_partition, changes)
  SELECT window_name, tenant_id, date_trunc('hour', window_start, 'UTC'), log_partition, count(*)
  FROM changed GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
  ON CONFLICT (window_name, tenant_id, span_start, log_partition)
  DO UPDATE SET changes = known.changes + excluded.changes;
  RETURN NULL;
END
$$;
CREATE TRIGGER window_inserted AFTER INSERT ON window_kpi REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION window_changed();
CREATE TRIGGER window_updated AFTER UPDATE ON window_kpi REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION window_changed();
CREATE TRIGGER window_deleted AFTER DELETE ON window_kpi REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION window_changed();

INSERT INTO window_change (window_name, tenant_id, span_start, log_partition, changes)
SELECT window_name, tenant_id, date_trunc('hour', window_start, 'UTC'), log_partition, count(*)
FROM window_kpi GROUP BY 1, 2, 3, 4;

-- Down Migration

DROP TRIGGER window_inserted ON window_kpi;
DROP TRIGGER window_updated ON window_kpi;
DROP TRIGGER window_deleted ON window_kpi;
DROP FUNCTION window_changed;
DROP TABLE window_change;
