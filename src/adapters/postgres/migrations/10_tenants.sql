-- Up Migration

CREATE TABLE access_token (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  merchant_id text,
  role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'device', 'merchant')),
  name text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  CHECK ((role = 'merchant') = (merchant_id IS NOT NULL))
);
CREATE INDEX access_token_by_time ON access_token (tenant_id, created_at DESC, id);
COMMENT ON TABLE access_token IS 'Bearer credentials; of a token itself only the SHA-256 is kept';
COMMENT ON COLUMN access_token.tenant_id IS 'Whose platform it opens';
COMMENT ON COLUMN access_token.merchant_id IS 'For the role merchant: the only one whose rows it shows';

-- What the API asks and changes for somebody it does as this role, which row-level security binds; the
-- owner of the tables, who is the engine, is not bound. The role belongs to the whole server: another
-- database may have made it, or be making it now.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_api') THEN
    CREATE ROLE outrider_api NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE WARNING 'The role outrider_api could not be made: merchants can''t be let in. Have it made: CREATE ROLE outrider_api NOLOGIN; GRANT outrider_api TO %', current_user;
END
$$;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_api')
      AND NOT pg_has_role(current_user, 'outrider_api', 'MEMBER') THEN
    EXECUTE format('GRANT outrider_api TO %I', current_user);
  END IF;
EXCEPTION
  -- Somebody else gives it at this moment.
  WHEN internal_error THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE WARNING 'The role outrider_api could not be taken: merchants can''t be let in. Have it given: GRANT outrider_api TO %', current_user;
END
$$;

-- Who may see a row of a table, as a condition: the settings outrider.tenant and outrider.merchant say who
-- asks, the second empty where it is not a merchant. Where they are not set nothing is seen. `written` asks
-- what a row must be like that is put there.
CREATE FUNCTION outrider_condition(name text, has_tenant boolean, has_merchant boolean, written boolean)
RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN name = 'alert' THEN tenant || format('(%1$s = '''' OR labels ->> ''merchantId'' = %1$s)', merchant)
    WHEN has_tenant AND has_merchant THEN tenant || format('%1$s IN ('''', merchant_id)', merchant)
    WHEN has_tenant THEN tenant || format('%s = ''''', merchant)
    -- A row is written together with the one that it belongs to, which the statement itself can't see yet.
    WHEN parent IS NOT NULL AND written THEN format('%s <> '''' AND %s = ''''', who, merchant)
    -- What people say to each other about an alert is no matter of the merchant's.
    WHEN name = 'alert_comment' THEN format('%s = '''' AND %s', merchant, parent)
    WHEN parent IS NOT NULL THEN parent
    ELSE format('%s <> '''' AND %s = ''''', who, merchant)
  END
  FROM (SELECT '(SELECT current_setting(''outrider.tenant'', true))' AS who,
      '(SELECT current_setting(''outrider.merchant'', true))' AS merchant) AS settings,
    LATERAL (SELECT 'tenant_id = ' || who || ' AND ' AS tenant) AS first
    LEFT JOIN LATERAL (
      SELECT format('EXISTS (SELECT FROM %I AS owner WHERE owner.%I = %I.%I)', belongs_to, their_column, name, our_column)
      FROM (VALUES
        ('alert_transition', 'alert_id', 'alert', 'id'),
        ('alert_comment', 'alert_id', 'alert', 'id'),
        ('alert_group_member', 'group_id', 'alert_group', 'id'),
        ('notification_alert', 'notification_id', 'notification', 'id'),
        ('silence_revision', 'silence_id', 'silence', 'id'),
        ('message_attempt', 'message_id', 'message', 'id')
      ) AS known (child, our_column, belongs_to, their_column)
      WHERE child = name
        AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(belongs_to) AND attname = their_column)
        AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(name) AND attname = our_column)
    ) AS child (parent) ON true
$$;

-- Puts every table that has no policy yet under row-level security. Called after the migrations and with
-- each table that is made later, so that none can be forgotten. Partitions are reached through their table.
CREATE FUNCTION outrider_protect() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  one record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_api') THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('outrider-protect'));
  FOR one IN
    SELECT relname AS name, bool_or(attname = 'tenant_id') AS has_tenant,
      bool_or(attname = 'merchant_id') AS has_merchant
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname NOT IN ('access_token', 'schema_migration', 'signing_key')
      AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'outrider_api')
    GROUP BY pg_class.oid, relname
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one.name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO outrider_api', one.name);
    EXECUTE format('CREATE POLICY outrider_api ON %I TO outrider_api USING (%s) WITH CHECK (%s)', one.name,
      outrider_condition(one.name, one.has_tenant, one.has_merchant, false),
      outrider_condition(one.name, one.has_tenant, one.has_merchant, true));
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
      EXECUTE format('CREATE POLICY outrider_reader ON %I FOR SELECT TO outrider_reader USING (true)', one.name);
    END IF;
  END LOOP;
  -- A view is otherwise read as its owner, who sees all.
  IF current_setting('server_version_num')::int >= 150000 THEN
    FOR one IN
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'
        AND NOT 'security_invoker=true' = ANY (coalesce(reloptions, '{}'))
    LOOP
      EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', one.name);
      EXECUTE format('GRANT SELECT ON %I TO outrider_api', one.name);
    END LOOP;
  END IF;
END
$$;
COMMENT ON FUNCTION outrider_protect IS 'Puts tables that have no policy yet under row-level security: see docs/decisions/0025-tenants.md';

-- Down Migration

DO $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT relname AS name, polname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
    WHERE relnamespace = current_schema()::regnamespace AND polname IN ('outrider_api', 'outrider_reader')
  LOOP
    EXECUTE format('DROP POLICY %I ON %I', one.polname, one.name);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', one.name);
    EXECUTE format('REVOKE ALL ON %I FROM outrider_api', one.name);
  END LOOP;
  FOR one IN SELECT relname AS name FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'
      AND 'security_invoker=true' = ANY (coalesce(reloptions, '{}'))
  LOOP
    EXECUTE format('ALTER VIEW %I RESET (security_invoker)', one.name);
    EXECUTE format('REVOKE ALL ON %I FROM outrider_api', one.name);
  END LOOP;
END
$$;
DROP FUNCTION outrider_protect, outrider_condition;
DROP TABLE access_token;
