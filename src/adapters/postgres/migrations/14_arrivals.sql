-- Up Migration

CREATE TABLE appointment (
  tenant_id text NOT NULL,
  appointment_id text NOT NULL,
  title text NOT NULL,
  place text,
  starts_at timestamptz NOT NULL,
  first_starts_at timestamptz NOT NULL,
  lat double precision NOT NULL,
  lon double precision NOT NULL,
  organizer_email text NOT NULL,
  online_url text,
  status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'canceled')),
  revision int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, appointment_id)
);
CREATE INDEX appointment_by_start ON appointment (tenant_id, starts_at);
COMMENT ON COLUMN appointment.first_starts_at IS 'As it was first agreed, before it was rescheduled';
COMMENT ON COLUMN appointment.online_url IS 'Where to join online; null where there is no online variant';

CREATE TABLE journey (
  tenant_id text NOT NULL,
  journey_id text NOT NULL,
  appointment_id text NOT NULL,
  traveler_email text NOT NULL,
  traveler_name text,
  mode text NOT NULL CHECK (mode IN ('car', 'bicycle', 'foot')),
  decision text,
  decided_at timestamptz,
  joined_online_at timestamptz,
  rescheduled_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, journey_id),
  FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointment (tenant_id, appointment_id)
);
CREATE INDEX journey_by_appointment ON journey (tenant_id, appointment_id);
COMMENT ON TABLE journey IS 'Who travels to which appointment, and what was decided last about it';

CREATE TABLE journey_decision (
  tenant_id text NOT NULL,
  journey_id text NOT NULL,
  decision_id text NOT NULL,
  decision text NOT NULL,
  decided_at timestamptz NOT NULL,
  alert_id text,
  workflow_id text,
  detail text,
  PRIMARY KEY (tenant_id, journey_id, decision_id)
);
CREATE INDEX journey_decision_by_time ON journey_decision (tenant_id, decided_at);
COMMENT ON TABLE journey_decision IS 'Everything that was ever decided about a journey, once for each decision_id';

CREATE TABLE arrival (
  tenant_id text NOT NULL,
  journey_id text NOT NULL,
  estimated_at timestamptz NOT NULL,
  appointment_id text NOT NULL,
  starts_at timestamptz NOT NULL,
  eta_p50 timestamptz NOT NULL,
  eta_p90 timestamptz NOT NULL,
  late_probability double precision NOT NULL,
  remaining_m double precision NOT NULL,
  free_flow_s double precision NOT NULL,
  expected_s double precision NOT NULL,
  pace double precision NOT NULL,
  position_at timestamptz NOT NULL,
  lat double precision NOT NULL,
  lon double precision NOT NULL,
  speed_kmh double precision,
  traffic_at timestamptz,
  source text NOT NULL,
  arrived_at timestamptz,
  first_late_at timestamptz,
  route jsonb,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, journey_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE arrival IS 'Each journey as it was estimated last; expected_s is the time still to drive at P50';
COMMENT ON COLUMN arrival.pace IS 'Time taken over time expected on the way so far: above 1 is slower';
COMMENT ON COLUMN arrival.source IS 'What the route comes from: roads, provider, straight-line';
COMMENT ON COLUMN arrival.first_late_at IS 'When being late first became more likely than not';

CREATE TABLE eta_estimate (
  tenant_id text NOT NULL,
  journey_id text NOT NULL,
  estimated_at timestamptz NOT NULL,
  cause text NOT NULL,
  appointment_id text NOT NULL,
  starts_at timestamptz NOT NULL,
  eta_p50 timestamptz NOT NULL,
  eta_p90 timestamptz NOT NULL,
  late_probability double precision NOT NULL,
  remaining_m double precision NOT NULL,
  position_at timestamptz NOT NULL,
  source text NOT NULL,
  log_partition int NOT NULL,
  log_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, journey_id, estimated_at)
);
CREATE INDEX eta_estimate_by_time ON eta_estimate (tenant_id, estimated_at);
COMMENT ON TABLE eta_estimate IS 'Every estimate ever made, to be held against the arrival';
COMMENT ON COLUMN eta_estimate.cause IS 'position, traffic, plan, or time where nothing was heard';

-- What became of each journey. Rescheduled counts before late: the start that was missed is no longer agreed.
CREATE VIEW arrival_outcome AS
  SELECT journey.tenant_id, journey.journey_id, journey.appointment_id, appointment.title,
    appointment.first_starts_at, appointment.starts_at, arrival.arrived_at,
    extract(epoch FROM arrival.arrived_at - appointment.starts_at)::float8 AS late_by_s,
    arrival.first_late_at, journey.decision, journey.decided_at,
    CASE
      WHEN journey.joined_online_at IS NOT NULL THEN 'joined-online'
      WHEN journey.rescheduled_at IS NOT NULL THEN 'rescheduled'
      WHEN arrival.arrived_at <= appointment.starts_at THEN 'on-time'
      WHEN arrival.arrived_at IS NOT NULL THEN 'late'
      WHEN appointment.status = 'canceled' THEN 'canceled'
      WHEN appointment.starts_at < now() THEN 'not-arrived'
    END AS outcome
  FROM journey JOIN appointment USING (tenant_id, appointment_id)
    LEFT JOIN arrival USING (tenant_id, journey_id);
COMMENT ON VIEW arrival_outcome IS 'What became of each journey; outcome is null while it is open';

CREATE VIEW arrival_on_time AS
  SELECT tenant_id, date_trunc('day', starts_at, 'UTC') AS day, count(*) AS journeys,
    count(*) FILTER (WHERE outcome = 'on-time') AS on_time,
    count(*) FILTER (WHERE outcome = 'late') AS late,
    count(*) FILTER (WHERE outcome = 'joined-online') AS joined_online,
    count(*) FILTER (WHERE outcome = 'rescheduled') AS rescheduled,
    count(*) FILTER (WHERE outcome = 'not-arrived') AS not_arrived,
    count(*) FILTER (WHERE outcome = 'on-time')::float8 / nullif(count(*), 0) AS on_time_rate
  FROM arrival_outcome WHERE outcome IS NOT NULL AND outcome <> 'canceled' GROUP BY 1, 2;
COMMENT ON VIEW arrival_on_time IS 'Outcomes by the day (UTC) of the start, and the share that arrived on time';

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON appointment, journey, journey_decision, arrival, eta_estimate, arrival_outcome,
      arrival_on_time TO outrider_reader;
  END IF;
END
$$;

-- Down Migration

DROP VIEW arrival_on_time, arrival_outcome;
DROP TABLE eta_estimate, arrival, journey_decision, journey, appointment;
