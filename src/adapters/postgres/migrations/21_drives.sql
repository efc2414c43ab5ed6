-- Up Migration

CREATE TABLE drive (
  tenant_id text NOT NULL,
  entity_type text NOT NULL,
  entity_id text NOT NULL,
  starts_at timestamptz NOT NULL,
  start_lat double precision,
  start_lon double precision,
  ends_at timestamptz NOT NULL,
  end_lat double precision,
  end_lon double precision,
  distance_km double precision NOT NULL,
  max_speed_kmh double precision NOT NULL,
  under_way boolean NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, entity_type, entity_id, starts_at)
) WITH (fillfactor = 80);
CREATE INDEX drive_by_time ON drive (tenant_id, starts_at);
COMMENT ON TABLE drive IS
  'Drives of trucks and vehicles: 500 m and 5 minutes at least, ended by standing for 5 minutes or an hour of silence';
COMMENT ON COLUMN drive.ends_at IS 'Newest reading on the move; of a drive under way a minute behind at most';

CREATE VIEW fleet_stop AS
  SELECT tenant_id, entity_type, entity_id, ends_at AS starts_at, next_at AS ends_at, end_lat AS lat, end_lon AS lon
  FROM (
    SELECT *, lead(starts_at) OVER (PARTITION BY tenant_id, entity_type, entity_id ORDER BY starts_at) AS next_at
    FROM drive
  ) AS each
  WHERE next_at IS NOT NULL OR NOT under_way;
COMMENT ON VIEW fleet_stop IS 'What lies between two drives of one truck or vehicle; without an end where it still stands';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON drive, fleet_stop TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP VIEW fleet_stop;
DROP TABLE drive;
