-- Up Migration

CREATE TABLE trip (
  tenant_id text NOT NULL,
  trip_id text NOT NULL,
  pickup_time timestamptz NOT NULL,
  dropoff_time timestamptz,
  pickup_location text,
  dropoff_location text,
  distance double precision,
  fare numeric,
  payment_method text,
  status text NOT NULL,
  currency text,
  payment_method_original text,
  vehicle_id text,
  driver_id text,
  anomalies jsonb,
  recorded_at timestamptz NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, trip_id)
) WITH (fillfactor = 80);
CREATE INDEX trip_by_pickup ON trip (tenant_id, pickup_time DESC, trip_id);
CREATE INDEX trip_odd ON trip (tenant_id, pickup_time DESC, trip_id) WHERE anomalies IS NOT NULL;
COMMENT ON TABLE trip IS 'Each trip as it is now: distance in km, fare in its currency';
COMMENT ON COLUMN trip.payment_method IS 'Null where it was not recorded';
COMMENT ON COLUMN trip.recorded_at IS 'Event time of the newest event of the trip';

CREATE TABLE trip_total (
  tenant_id text NOT NULL,
  span_s int NOT NULL,
  starts_at timestamptz NOT NULL,
  log_partition int NOT NULL,
  currency text NOT NULL,
  status text NOT NULL,
  payment_method text NOT NULL,
  trips bigint NOT NULL,
  revenue numeric NOT NULL,
  measured bigint NOT NULL,
  distance_km numeric NOT NULL,
  PRIMARY KEY (tenant_id, span_s, starts_at, log_partition, currency, status, payment_method)
) WITH (fillfactor = 70);
COMMENT ON TABLE trip_total IS
  'Sums over trips by pickup, for spans of a minute, an hour, a day and 32 days; kept by triggers on trip';
COMMENT ON COLUMN trip_total.revenue IS 'Fares of all trips but the canceled';
COMMENT ON COLUMN trip_total.measured IS 'Trips whose distance is known';

CREATE TYPE trip_amount AS (
  tenant_id text, log_partition int, pickup_time timestamptz, currency text, status text,
  payment_method text, trips int, revenue numeric, measured int, distance_km numeric
);

-- What a trip adds to the sums, or takes away where `weight` is -1.
CREATE FUNCTION trip_amount_of(ride trip, weight int) RETURNS trip_amount
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ride.tenant_id, ride.log_partition, ride.pickup_time, coalesce(ride.currency, ''), ride.status,
    coalesce(ride.payment_method, 'not-recorded'), weight,
    CASE WHEN ride.status = 'canceled' THEN 0 ELSE weight * coalesce(ride.fare, 0) END,
    CASE WHEN ride.distance IS NULL THEN 0 ELSE weight END,
    weight * coalesce(round(ride.distance::numeric, 6), 0)
$$;

CREATE FUNCTION trip_total_add(amounts trip_amount[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO trip_total AS total (tenant_id, span_s, starts_at, log_partition, currency, status,
    payment_method, trips, revenue, measured, distance_km)
  SELECT tenant_id, span_s, to_timestamp(floor(extract(epoch FROM pickup_time) / span_s) * span_s),
    log_partition, currency, status, payment_method, sum(trips), sum(revenue), sum(measured),
    sum(distance_km)
  FROM unnest(amounts) CROSS JOIN (VALUES (60), (3600), (86400), (2764800)) AS span (span_s)
  GROUP BY 1, 2, 3, 4, 5, 6, 7
  HAVING sum(trips) <> 0 OR sum(revenue) <> 0 OR sum(measured) <> 0 OR sum(distance_km) <> 0
  ORDER BY 1, 2, 3, 4, 5, 6, 7
  ON CONFLICT (tenant_id, span_s, starts_at, log_partition, currency, status, payment_method)
  DO UPDATE SET trips = total.trips + excluded.trips, revenue = total.revenue + excluded.revenue,
    measured = total.measured + excluded.measured,
    distance_km = total.distance_km + excluded.distance_km
$$;

CREATE FUNCTION trip_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM trip_total_add(array_agg(trip_amount_of(added, 1))) FROM added HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE FUNCTION trip_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM trip_total_add(array_agg(amount)) FROM (
    SELECT trip_amount_of(added, 1) AS amount FROM added
    UNION ALL SELECT trip_amount_of(taken, -1) FROM taken
  ) AS changes HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE FUNCTION trip_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM trip_total_add(array_agg(trip_amount_of(taken, -1))) FROM taken HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE TRIGGER trip_inserted AFTER INSERT ON trip REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION trip_inserted();
CREATE TRIGGER trip_updated AFTER UPDATE ON trip REFERENCING OLD TABLE AS taken NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION trip_updated();
CREATE TRIGGER trip_deleted AFTER DELETE ON trip REFERENCING OLD TABLE AS taken
  FOR EACH STATEMENT EXECUTE FUNCTION trip_deleted();

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON trip, trip_total TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP TABLE trip, trip_total CASCADE;
DROP FUNCTION trip_inserted, trip_updated, trip_deleted, trip_total_add;
DROP TYPE trip_amount CASCADE;
