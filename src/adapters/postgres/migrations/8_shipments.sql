-- Up Migration

CREATE TABLE shipment (
  tenant_id text NOT NULL,
  shipment_id text NOT NULL,
  merchant_id text NOT NULL,
  status text NOT NULL,
  state text NOT NULL,
  outcome text,
  status_since timestamptz,
  milestone text,
  milestone_at timestamptz,
  promise text NOT NULL,
  promised_at timestamptz,
  expected_at timestamptz,
  expected_by text,
  delivered_at timestamptz,
  late_by_s double precision,
  created_at timestamptz,
  carrier text,
  mode text,
  truck_id text,
  warehouse_id text,
  location text,
  region text,
  lat double precision,
  lon double precision,
  destination text,
  customer_name text,
  customer_email text,
  customer_phone text,
  reason text,
  contradiction text,
  consignment text,
  items jsonb,
  weight_kg double precision,
  freight_cost numeric,
  currency text,
  words jsonb,
  recorded_at timestamptz NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, shipment_id)
) WITH (fillfactor = 80);
CREATE INDEX shipment_by_time ON shipment (tenant_id, recorded_at DESC, shipment_id);
CREATE INDEX shipment_by_merchant ON shipment (tenant_id, merchant_id, recorded_at DESC, shipment_id);
CREATE INDEX shipment_by_merchant_promise
  ON shipment (tenant_id, merchant_id, promised_at, shipment_id);
CREATE INDEX shipment_by_promise ON shipment (tenant_id, promised_at, shipment_id);
CREATE INDEX shipment_by_merchant_status
  ON shipment (tenant_id, merchant_id, status, recorded_at DESC, shipment_id);
CREATE INDEX shipment_by_consignment ON shipment (tenant_id, consignment)
  WHERE consignment IS NOT NULL;
COMMENT ON TABLE shipment IS 'Each shipment as it is now; shipment_event has all that was said of it';
COMMENT ON COLUMN shipment.tenant_id IS 'Whose platform it is: of the credential that the events came with';
COMMENT ON COLUMN shipment.merchant_id IS 'Whose shipment it is: what a merchant may see is told by this column';
COMMENT ON COLUMN shipment.recorded_at IS 'Time of the newest event';
COMMENT ON COLUMN shipment.late_by_s IS 'Of an open shipment: as of its newest event, or of the promise';
COMMENT ON COLUMN shipment.words IS 'By field: what was written where a number or a time was asked for';

-- Figures over shipments, kept with them, so that no question counts a million rows.
CREATE TABLE shipment_total (
  tenant_id text NOT NULL,
  merchant_id text NOT NULL,
  region text NOT NULL,
  status text NOT NULL,
  promise text NOT NULL,
  mode text NOT NULL,
  currency text NOT NULL,
  log_partition int NOT NULL,
  shipments bigint NOT NULL,
  freight_lines bigint NOT NULL,
  freight_cost numeric NOT NULL,
  PRIMARY KEY (tenant_id, merchant_id, region, status, promise, mode, currency, log_partition)
) WITH (fillfactor = 70);
COMMENT ON TABLE shipment_total IS 'How many shipments are how; kept by triggers on shipment; empty text where nothing is known';
COMMENT ON COLUMN shipment_total.freight_lines IS 'Shipments whose freight is a number';

CREATE TYPE shipment_amount AS (
  tenant_id text, merchant_id text, region text, status text, promise text, mode text, currency text,
  log_partition int, shipments int, freight_lines int, freight_cost numeric
);

-- What a shipment adds to the figures, or takes away where `weight` is -1.
CREATE FUNCTION shipment_amount_of(one shipment, weight int) RETURNS shipment_amount
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT one.tenant_id, one.merchant_id, coalesce(one.region, ''), one.status, one.promise,
    coalesce(one.mode, ''), coalesce(one.currency, ''), one.log_partition, weight,
    CASE WHEN one.freight_cost IS NULL THEN 0 ELSE weight END, weight * coalesce(one.freight_cost, 0)
$$;

CREATE FUNCTION shipment_total_add(amounts shipment_amount[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO shipment_total AS total (tenant_id, merchant_id, region, status, promise, mode, currency,
    log_partition, shipments, freight_lines, freight_cost)
  SELECT tenant_id, merchant_id, region, status, promise, mode, currency, log_partition,
    sum(shipments), sum(freight_lines), sum(freight_cost)
  FROM unnest(amounts)
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  HAVING sum(shipments) <> 0 OR sum(freight_lines) <> 0 OR sum(freight_cost) <> 0
  ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
  ON CONFLICT (tenant_id, merchant_id, region, status, promise, mode, currency, log_partition)
  DO UPDATE SET shipments = total.shipments + excluded.shipments,
    freight_lines = total.freight_lines + excluded.freight_lines,
    freight_cost = total.freight_cost + excluded.freight_cost
$$;

CREATE FUNCTION shipment_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM shipment_total_add(array_agg(shipment_amount_of(added, 1))) FROM added HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE FUNCTION shipment_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM shipment_total_add(array_agg(amount)) FROM (
    SELECT shipment_amount_of(added, 1) AS amount FROM added
    UNION ALL SELECT shipment_amount_of(taken, -1) FROM taken
  ) AS changes HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE FUNCTION shipment_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM shipment_total_add(array_agg(shipment_amount_of(taken, -1))) FROM taken HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE TRIGGER shipment_inserted AFTER INSERT ON shipment REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION shipment_inserted();
CREATE TRIGGER shipment_updated AFTER UPDATE ON shipment
  REFERENCING OLD TABLE AS taken NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION shipment_updated();
CREATE TRIGGER shipment_deleted AFTER DELETE ON shipment REFERENCING OLD TABLE AS taken
  FOR EACH STATEMENT EXECUTE FUNCTION shipment_deleted();

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON shipment, shipment_total TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP TABLE shipment, shipment_total CASCADE;
DROP FUNCTION shipment_inserted, shipment_updated, shipment_deleted, shipment_total_add;
DROP TYPE shipment_amount CASCADE;
