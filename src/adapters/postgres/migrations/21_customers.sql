-- Up Migration

CREATE TABLE tracking_link (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  merchant_id text NOT NULL,
  shipment_id text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_by text
);
CREATE INDEX tracking_link_by_shipment ON tracking_link (tenant_id, shipment_id, created_at DESC);
COMMENT ON TABLE tracking_link IS 'Links by which a customer follows one shipment; of the link itself only the SHA-256 is kept';

CREATE TABLE merchant_milestones (
  tenant_id text NOT NULL,
  merchant_id text NOT NULL,
  milestones text[] NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text NOT NULL,
  PRIMARY KEY (tenant_id, merchant_id)
);
COMMENT ON TABLE merchant_milestones IS 'At which milestones the customers of a merchant are written to; no row: at none';

-- A shipment that reaches a milestone which its merchant chose asks for the message to its customer, in the
-- same transaction and under an id that says shipment and milestone: a milestone reached again, in another
-- event or by a replay, asks for the same message. What is of yesterday or before is told to nobody.
CREATE FUNCTION ask_for_customer_message(tenant text, merchant text, shipment text, milestone text, milestone_at timestamptz)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (id, kind, tenant_id, payload)
  SELECT derived_id('customer-milestone', tenant, shipment, milestone), 'customer-milestone', tenant,
    jsonb_build_object('merchantId', merchant, 'shipmentId', shipment, 'milestone', milestone, 'milestoneAt', milestone_at,
      'about', jsonb_build_object('entityType', 'shipment', 'entityId', shipment))
  FROM merchant_milestones AS chosen
  WHERE chosen.tenant_id = tenant AND chosen.merchant_id = merchant AND milestone = ANY (chosen.milestones)
    AND milestone_at > now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM workflow WHERE id = derived_id('customer-milestone', tenant, shipment, milestone))
  ON CONFLICT (id) DO NOTHING
$$;

CREATE FUNCTION tell_customers_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM merchant_milestones) THEN
    PERFORM ask_for_customer_message(tenant_id, merchant_id, shipment_id, milestone, milestone_at)
    FROM now_there WHERE customer_email IS NOT NULL AND milestone IS NOT NULL;
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION tell_customers_of_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM merchant_milestones) THEN
    PERFORM ask_for_customer_message(n.tenant_id, n.merchant_id, n.shipment_id, n.milestone, n.milestone_at)
    FROM now_there n JOIN was_there o USING (tenant_id, shipment_id)
    WHERE n.customer_email IS NOT NULL AND n.milestone IS NOT NULL
      AND (n.milestone, n.customer_email) IS DISTINCT FROM (o.milestone, o.customer_email);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER shipment_tells_new AFTER INSERT ON shipment REFERENCING NEW TABLE AS now_there
  FOR EACH STATEMENT EXECUTE FUNCTION tell_customers_of_new();
CREATE TRIGGER shipment_tells_changed AFTER UPDATE ON shipment
  REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there
  FOR EACH STATEMENT EXECUTE FUNCTION tell_customers_of_changed();

-- A merchant reads what its customers were written, and nothing that people of the platform were told.
CREATE OR REPLACE FUNCTION outrider_condition_of_message() RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'tenant_id = (SELECT current_setting(''outrider.tenant'', true))
    AND ((SELECT current_setting(''outrider.merchant'', true)) = ''''
      OR (category = ''shipment-milestone'' AND entity_type = ''shipment'' AND EXISTS (
        SELECT FROM shipment WHERE shipment.tenant_id = message.tenant_id AND shipment.shipment_id = message.entity_id)))'
$$;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_api') THEN
    PERFORM outrider_protect();
    EXECUTE format('ALTER POLICY outrider_api ON message USING (%s)', outrider_condition_of_message());
  END IF;
END
$$;
DROP FUNCTION outrider_condition_of_message;

-- Down Migration

DROP TRIGGER shipment_tells_changed ON shipment;
DROP TRIGGER shipment_tells_new ON shipment;
DROP FUNCTION tell_customers_of_changed, tell_customers_of_new, ask_for_customer_message;
DROP TABLE merchant_milestones, tracking_link;
