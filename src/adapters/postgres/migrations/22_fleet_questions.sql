-- Up Migration

DROP VIEW fleet_daily, driving_session, fleet_long_driving, fleet_stationary, fleet_latest;

ALTER TABLE driving_period
  ADD COLUMN fleet text,
  ADD COLUMN driver text,
  ADD COLUMN model text,
  ADD COLUMN lat double precision,
  ADD COLUMN lon double precision,
  ADD COLUMN load_kg double precision,
  ADD COLUMN load_share double precision,
  ADD COLUMN average_load_share double precision,
  ADD COLUMN broken_share double precision,
  ADD COLUMN nominal_litres_per_100km double precision;
COMMENT ON COLUMN driving_period.fleet IS
  'From the reference table "fleet", as driver, model and nominal consumption: what it said when the ten minutes began';
COMMENT ON COLUMN driving_period.load_share IS 'Of the load capacity, at the end; average_load_share: over the readings';
COMMENT ON COLUMN driving_period.broken_share IS
  'Of the readings that said whether it is broken down; null where none did';

-- From one vehicle to the next by the key, and of each its newest: no period but those is looked at.
CREATE VIEW fleet_latest AS
  WITH RECURSIVE known AS (
    (SELECT tenant_id, entity_type, entity_id FROM driving_period ORDER BY 1, 2, 3 LIMIT 1)
    UNION ALL
    SELECT next.* FROM known CROSS JOIN LATERAL (
      SELECT tenant_id, entity_type, entity_id FROM driving_period AS each
      WHERE (each.tenant_id, each.entity_type, each.entity_id) > (known.tenant_id, known.entity_type, known.entity_id)
      ORDER BY 1, 2, 3 LIMIT 1
    ) AS next
  )
  SELECT newest.* FROM known CROSS JOIN LATERAL (
    SELECT * FROM driving_period AS each
    WHERE (each.tenant_id, each.entity_type, each.entity_id) = (known.tenant_id, known.entity_type, known.entity_id)
    ORDER BY starts_at DESC LIMIT 1
  ) AS newest;
COMMENT ON VIEW fleet_latest IS
  'Newest ten minutes of each vehicle: last position; low fuel: fuel_percent < 10; high load: load_share > 0.9';

CREATE VIEW fleet_stationary AS
  SELECT * FROM driving_period WHERE average_speed_kmh < 1;
COMMENT ON VIEW fleet_stationary IS 'Ten minutes in which a vehicle stood';

CREATE VIEW fleet_long_driving AS
  SELECT * FROM (
    SELECT tenant_id, entity_type, entity_id, fleet, driver, model, starts_at + interval '10 minutes' AS until,
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
  SELECT tenant_id, entity_type, entity_id, driver, min(starts_at) AS starts_at,
    max(starts_at) + interval '10 minutes' AS ends_at, sum(distance_km) AS distance_km,
    max(fleet) AS fleet, max(model) AS model
  FROM (
    SELECT *, starts_at - interval '10 minutes' * row_number() OVER (
      PARTITION BY tenant_id, entity_type, entity_id, driver ORDER BY starts_at) AS island
    FROM driving_period WHERE average_speed_kmh > 5
  ) AS driven
  GROUP BY tenant_id, entity_type, entity_id, driver, island;
COMMENT ON VIEW driving_session IS
  'Unbroken stretches of ten-minute periods faster than 5 km/h, by one driver';

CREATE VIEW fleet_daily AS
  SELECT tenant_id, entity_type, entity_id, date_trunc('day', starts_at, 'UTC') AS day,
    sum(distance_km) AS distance_km, sum(moving_s) / 3600 AS driven_h,
    count(*) FILTER (WHERE coalesce(broken_share, 0) < 0.5) / 144.0 AS share_in_service,
    count(*) FILTER (WHERE average_speed_kmh > 1) / 144.0 AS share_driven,
    sum(used_litres) AS used_litres, sum(consumed_litres) AS consumed_litres,
    max(fleet) AS fleet, max(model) AS model
  FROM driving_period GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW fleet_daily IS
  'Each vehicle by day (UTC): distance, hours driven, fuel, and the share of the day in which it reported and was not broken down';

CREATE VIEW driver_daily AS
  SELECT tenant_id, driver, day, driven_h, coalesce(sessions, 0) AS sessions, average_session_h
  FROM (
    SELECT tenant_id, driver, date_trunc('day', starts_at, 'UTC') AS day, sum(moving_s) / 3600 AS driven_h
    FROM driving_period WHERE driver IS NOT NULL GROUP BY 1, 2, 3
  ) AS driven LEFT JOIN (
    SELECT tenant_id, driver, date_trunc('day', starts_at, 'UTC') AS day, count(*) AS sessions,
      (extract(epoch FROM avg(ends_at - starts_at)) / 3600)::float8 AS average_session_h
    FROM driving_session WHERE driver IS NOT NULL GROUP BY 1, 2, 3
  ) AS unbroken USING (tenant_id, driver, day);
COMMENT ON VIEW driver_daily IS
  'Each driver by day (UTC): hours driven, and how long an unbroken session that began that day was on average';

CREATE VIEW fleet_consumption AS
  SELECT tenant_id, fleet, date_trunc('day', starts_at, 'UTC') AS day, sum(distance_km) AS distance_km,
    sum(coalesce(consumed_litres, used_litres)) AS used_litres,
    sum(distance_km * nominal_litres_per_100km) / 100 AS nominal_litres
  FROM driving_period
  WHERE average_speed_kmh > 1 AND nominal_litres_per_100km IS NOT NULL
    AND coalesce(consumed_litres, used_litres) IS NOT NULL
  GROUP BY 1, 2, 3;
COMMENT ON VIEW fleet_consumption IS
  'Each fleet by day (UTC): fuel used on the move against what the same way would take at the nominal consumption';

CREATE VIEW fleet_load AS
  SELECT tenant_id, fleet, model, entity_type, entity_id, date_trunc('day', starts_at, 'UTC') AS day,
    avg(average_load_share) AS average_load_share
  FROM driving_period WHERE average_load_share IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6;
COMMENT ON VIEW fleet_load IS 'Average load of each vehicle by day (UTC), as a share of its load capacity';

CREATE VIEW fleet_breakdown AS
  SELECT tenant_id, entity_type, entity_id, fleet, driver, model, starts_at
  FROM (
    SELECT *, lag(broken_share) OVER (PARTITION BY tenant_id, entity_type, entity_id ORDER BY starts_at) AS before
    FROM driving_period WHERE broken_share IS NOT NULL
  ) AS each
  WHERE broken_share >= 0.5 AND before < 0.5;
COMMENT ON VIEW fleet_breakdown IS
  'Ten minutes in which a vehicle went from working to broken down: half of their readings say so, and not of those before';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON fleet_latest, fleet_stationary, fleet_long_driving, driving_session, fleet_daily, driver_daily,
      fleet_consumption, fleet_load, fleet_breakdown TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP VIEW fleet_breakdown, fleet_load, fleet_consumption, driver_daily, fleet_daily, driving_session,
  fleet_long_driving, fleet_stationary, fleet_latest;
ALTER TABLE driving_period
  DROP COLUMN fleet, DROP COLUMN driver, DROP COLUMN model, DROP COLUMN lat, DROP COLUMN lon,
  DROP COLUMN load_kg, DROP COLUMN load_share, DROP COLUMN average_load_share, DROP COLUMN broken_share,
  DROP COLUMN nominal_litres_per_100km;

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
