-- Up Migration

ALTER TABLE window_kpi ADD COLUMN era bigint NOT NULL DEFAULT 0, ADD COLUMN keys_hash bigint;
COMMENT ON COLUMN window_kpi.era IS 'Offset at which a stretch of event time with a watermark of its own began';
COMMENT ON COLUMN window_kpi.keys_hash IS 'The same for the same keys: history that came twice is told by it';
ALTER TABLE window_kpi DROP CONSTRAINT window_kpi_pkey;
ALTER TABLE window_kpi
  ADD PRIMARY KEY (window_name, tenant_id, window_start, group_key, log_partition, era);

-- Down Migration

ALTER TABLE window_kpi DROP CONSTRAINT window_kpi_pkey;
DELETE FROM window_kpi AS each USING window_kpi AS later
WHERE (each.window_name, each.tenant_id, each.window_start, each.group_key, each.log_partition)
    = (later.window_name, later.tenant_id, later.window_start, later.group_key, later.log_partition)
  AND each.era < later.era;
ALTER TABLE window_kpi
  ADD PRIMARY KEY (window_name, tenant_id, window_start, group_key, log_partition);
ALTER TABLE window_kpi DROP COLUMN era, DROP COLUMN keys_hash;
