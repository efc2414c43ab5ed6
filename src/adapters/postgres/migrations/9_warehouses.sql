-- Up Migration

CREATE TABLE stock (
  tenant_id text NOT NULL,
  warehouse_id text NOT NULL,
  merchant_id text NOT NULL,
  sku text NOT NULL,
  on_hand double precision NOT NULL,
  picked double precision NOT NULL,
  received double precision NOT NULL,
  dispatched double precision NOT NULL,
  adjusted double precision NOT NULL,
  reorder_point double precision,
  low boolean NOT NULL,
  negative boolean NOT NULL,
  dwell_unit_s double precision NOT NULL,
  dwell_units double precision NOT NULL,
  oldest_at timestamptz,
  counted_at timestamptz,
  count_difference double precision,
  bin text,
  region text,
  recorded_at timestamptz NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, warehouse_id, merchant_id, sku)
) WITH (fillfactor = 70);
CREATE INDEX stock_by_merchant ON stock (tenant_id, merchant_id, warehouse_id, sku);
CREATE INDEX stock_low ON stock (tenant_id, warehouse_id, merchant_id, sku) WHERE low OR negative;
COMMENT ON TABLE stock IS 'What each warehouse holds of each sku of each merchant, now';
COMMENT ON COLUMN stock.tenant_id IS 'Whose platform it is: of the credential that the events came with';
COMMENT ON COLUMN stock.merchant_id IS 'Whose goods they are: what a merchant may see is told by this column';
COMMENT ON COLUMN stock.on_hand IS 'Received less dispatched, adjusted and counted; negative where records are amiss';
COMMENT ON COLUMN stock.dwell_unit_s IS 'Seconds that dispatched units had been there, first in first out, summed';
COMMENT ON COLUMN stock.oldest_at IS 'When the oldest unit on hand came';

CREATE TABLE warehouse_hour (
  tenant_id text NOT NULL,
  warehouse_id text NOT NULL,
  merchant_id text NOT NULL,
  starts_at timestamptz NOT NULL,
  region text,
  movements double precision NOT NULL,
  received double precision NOT NULL,
  stored double precision NOT NULL,
  picked double precision NOT NULL,
  packed double precision NOT NULL,
  dispatched double precision NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, warehouse_id, merchant_id, starts_at)
) WITH (fillfactor = 70);
CREATE INDEX warehouse_hour_by_time ON warehouse_hour (tenant_id, starts_at);
COMMENT ON TABLE warehouse_hour IS 'Units that each warehouse moved for each merchant, by hour of UTC';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON stock, warehouse_hour TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP TABLE stock, warehouse_hour;
