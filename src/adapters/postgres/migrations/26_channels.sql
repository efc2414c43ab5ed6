-- Up Migration

CREATE TABLE channel (
  name text PRIMARY KEY,
  document jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by text NOT NULL
);
COMMENT ON TABLE channel IS 'Channels that were set up through the API, beside those of channels.yaml; holds their secrets';

-- No caller reads it by a query of theirs: it holds secrets, and the program alone hands out the rest.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_api') THEN
    ALTER TABLE channel ENABLE ROW LEVEL SECURITY;
    CREATE POLICY outrider_api ON channel TO outrider_api USING (false);
  END IF;
END
$$;

-- Down Migration

DROP TABLE channel;
