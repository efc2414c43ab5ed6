-- Up Migration

-- Who is there, joined online or has another start is settled before the start has passed.
CREATE OR REPLACE VIEW arrival_outcome AS
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
    END AS outcome,
    least(appointment.starts_at,
      coalesce(journey.joined_online_at, journey.rescheduled_at, arrival.arrived_at)) AS settled_at
  FROM journey JOIN appointment USING (tenant_id, appointment_id)
    LEFT JOIN arrival USING (tenant_id, journey_id);

-- Down Migration

DROP VIEW arrival_on_time, arrival_outcome;
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
CREATE VIEW arrival_on_time AS
  SELECT tenant_id, date_trunc('day', starts_at, 'UTC') AS day, count(*) AS journeys,
    count(*) FILTER (WHERE outcome = 'on-time') AS on_time,
    count(*) FILTER (WHERE outcome = 'late') AS late,
    count(*) FILTER (WHERE outcome = 'joined-online') AS joined_online,
    count(*) FILTER (WHERE outcome = 'rescheduled') AS rescheduled,
    count(*) FILTER (WHERE outcome = 'not-arrived') AS not_arrived,
    count(*) FILTER (WHERE outcome = 'on-time')::float8 / nullif(count(*), 0) AS on_time_rate
  FROM arrival_outcome WHERE outcome IS NOT NULL AND outcome <> 'canceled' GROUP BY 1, 2;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
    GRANT SELECT ON arrival_outcome, arrival_on_time TO outrider_reader;
  END IF;
END
$$;
