-- Up Migration

CREATE TABLE driving_period (
  tenant_id text NOT NULL,
  entity_type text NOT NULL,
  entity_id text NOT NULL,
  starts_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  readings int NOT NULL,
  average_speed_kmh double precision,
  max_speed_kmh double precision,
  distance_km double precision NOT NULL,
  moving_s double precision NOT NULL,
  idle_s double precision NOT NULL,
  speeding_s double precision NOT NULL,
  harsh_braking int NOT NULL,
  harsh_acceleration int NOT NULL,
  harsh_cornering int NOT NULL,
  fuel_percent double precision,
  used_percent double precision,
  refuelled_percent double precision NOT NULL,
  stolen_percent double precision NOT NULL,
  used_litres double precision,
  refuelled_litres double precision,
  stolen_litres double precision,
  consumed_litres double precision,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, entity_type, entity_id, starts_at)
);
CREATE INDEX driving_period_by_time ON driving_period (tenant_id, starts_at);
COMMENT ON TABLE driving_period IS
  'Ten minutes of one truck or vehicle: what lies between two readings belongs to the later one';
COMMENT ON COLUMN driving_period.used_percent IS
  'Of the tank: fall of the level, with what was filled in, without what was stolen';

CREATE VIEW fleet_latest AS
  SELECT DISTINCT ON (tenant_id, entity_type, entity_id) * FROM driving_period
  ORDER BY tenant_id, entity_type, entity_id, starts_at DESC;
COMMENT ON VIEW fleet_latest IS 'Newest ten minutes of each vehicle; low fuel: fuel_percent < 10';

CREATE VIEW fleet_stationary AS
  SELECT * FROM driving_period WHERE average_speed_kmh < 1;
COMMENT ON VIEW fleet_stationary IS 'Ten minutes in which a vehicle stood';

CREATE VIEW fleet_long_driving AS
  SELECT * FROM (
    SELECT tenant_id, entity_type, entity_id, starts_at + interval '10 minutes' AS until,
      count(*) FILTER (WHERE average_speed_kmh > 1) OVER four_hours AS periods_of_4h,
      count(*) FILTER (WHERE average_speed_kmh > 1) OVER day AS periods_of_24h
    FROM driving_period
    WINDOW four_hours AS (PARTITION BY tenant_id, entity_type, entity_id ORDER BY starts_at
        RANGE BETWEEN interval '230 minutes' PRECEDING AND CURRENT ROW),
      day AS (PARTITION BY tenant_id, entity_type, entity_id ORDER BY starts_at
        RANGE BETWEEN interval '1430 minutes' PRECEDING AND CURRENT ROW)
  ) AS driven WHERE periods_of_4h > 22 OR periods_of_24h > 60;
COMMENT ON VIEW fleet_long_driving IS
  'Where more than 22 of 24 ten-minute periods of four hours were driven, or more than 60 of a day';

CREATE VIEW driving_session AS
  SELECT tenant_id, entity_type, entity_id, min(starts_at) AS starts_at,
    max(starts_at) + interval '10 minutes' AS ends_at, sum(distance_km) AS distance_km
  FROM (
    SELECT *, starts_at - interval '10 minutes' * row_number() OVER (
      PARTITION BY tenant_id, entity_type, entity_id ORDER BY starts_at) AS island
    FROM driving_period WHERE average_speed_kmh > 5
  ) AS driven
  GROUP BY tenant_id, entity_type, entity_id, island;
COMMENT ON VIEW driving_session IS 'Unbroken stretches of ten-minute periods faster than 5 km/h';

CREATE VIEW fleet_daily AS
  SELECT tenant_id, entity_type, entity_id, date_trunc('day', starts_at, 'UTC') AS day,
    sum(distance_km) AS distance_km, sum(moving_s) / 3600 AS driven_h,
    count(*) FILTER (WHERE average_speed_kmh > 1) / 144.0 AS share_in_service,
    sum(used_litres) AS used_litres, sum(consumed_litres) AS consumed_litres
  FROM driving_period GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW fleet_daily IS 'Each vehicle by day (UTC): distance, hours driven, share of the day in service, fuel';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON driving_period, fleet_latest, fleet_stationary, fleet_long_driving, driving_session,
      fleet_daily TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP VIEW fleet_daily, driving_session, fleet_long_driving, fleet_stationary, fleet_latest;
DROP TABLE driving_period;
