-- Up Migration

CREATE TABLE log_gap (
  pipeline text NOT NULL,
  log_partition int NOT NULL,
  from_offset bigint NOT NULL,
  to_offset bigint NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, log_partition, from_offset)
);
COMMENT ON TABLE log_gap IS 'Offsets that retention took before they were archived, [from_offset, to_offset), and that somebody accepted as lost';

-- Down Migration

DROP TABLE log_gap;
