-- Announcements: the data announces itself

SET LOCAL ROLE gateway_owner;
SET LOCAL search_path = gateway, pg_temp;

-- announce(kind, column): which rows of this kind changed, as 'kind:id'. More than a hundred, and TRUNCATE: 'kind:*'.
CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, gateway, pg_temp AS $$
DECLARE
  kind text := TG_ARGV[0];
  source text;
  ids text[];
BEGIN
  source := CASE TG_OP
    WHEN 'INSERT' THEN format('SELECT %1$I AS id FROM new_rows', TG_ARGV[1])
    WHEN 'DELETE' THEN format('SELECT %1$I AS id FROM old_rows', TG_ARGV[1])
    WHEN 'UPDATE' THEN format('SELECT %1$I AS id FROM old_rows UNION SELECT %1$I FROM new_rows', TG_ARGV[1])
  END;
  IF source IS NULL THEN
    PERFORM pg_notify('gateway', kind || ':*');
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT array_agg(DISTINCT id::text) FROM (SELECT DISTINCT id FROM (%s) AS rows LIMIT 101) AS first_rows', source)
    INTO ids;
  IF cardinality(ids) > 100 THEN
    PERFORM pg_notify('gateway', kind || ':*');
  ELSE
    PERFORM pg_notify('gateway', kind || ':' || id) FROM unnest(ids) AS id;
  END IF;
  RETURN NULL;
END $$;

-- A token that was once unknown could come to life: by a row typed in, restored, or given another digest. The runtime
-- role inserts only digests of tokens it has just minted, which nobody can have asked about.
CREATE FUNCTION announce_tokens() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, gateway, pg_temp AS $$
DECLARE reborn boolean;
BEGIN
  IF TG_OP = 'INSERT' THEN
    reborn := current_user <> 'gateway_runtime' AND EXISTS (SELECT FROM new_rows);
  ELSE
    EXECUTE format('SELECT EXISTS (SELECT digest, %1$s FROM new_rows EXCEPT SELECT digest, %1$s FROM old_rows)',
      CASE TG_TABLE_NAME WHEN 'sessions' THEN 'kind' ELSE '1' END) INTO reborn;
  END IF;
  IF reborn THEN
    PERFORM pg_notify('gateway', TG_ARGV[0] || ':*');
  END IF;
  RETURN NULL;
END $$;

-- Every change of the policy moves its revision, which each recall brings back: a check of the announcement itself.
CREATE FUNCTION bump_policy() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, gateway, pg_temp AS $$
DECLARE source text;
BEGIN
  source := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT tenant_id FROM new_rows'
    WHEN 'DELETE' THEN 'SELECT tenant_id FROM old_rows'
    WHEN 'UPDATE' THEN 'SELECT tenant_id FROM old_rows UNION SELECT tenant_id FROM new_rows'
    ELSE 'SELECT tenant_id FROM gateway.policy_state'
  END;
  EXECUTE format('INSERT INTO gateway.policy_state (tenant_id, revision) SELECT DISTINCT tenant_id, 1 FROM (%s) AS changed
    WHERE tenant_id IN (SELECT id FROM gateway.tenants)
    ON CONFLICT (tenant_id) DO UPDATE SET revision = policy_state.revision + 1', source);
  RETURN NULL;
END $$;

DO $$
DECLARE t record; op text; tables text;
BEGIN
  FOR t IN SELECT * FROM (VALUES
      ('tenants', 'announce', 'tenant', 'id'),
      ('users', 'announce', 'user', 'id'),
      ('groups', 'announce', 'group', 'id'),
      ('memberships', 'announce', 'user', 'user_id'),
      ('factors', 'announce', 'user', 'user_id'),
      ('sessions', 'announce', 'session', 'id'),
      ('api_keys', 'announce', 'api_key', 'id'),
      ('apps', 'announce', 'policy', 'tenant_id'),
      ('app_hosts', 'announce', 'policy', 'tenant_id'),
      ('rules', 'announce', 'policy', 'tenant_id'),
      ('policy_state', 'announce', 'policy', 'tenant_id'),
      ('signing_keys', 'announce', 'key', 'id'),
      ('sessions', 'announce_tokens', 'session', ''),
      ('api_keys', 'announce_tokens', 'api_key', ''),
      ('apps', 'bump_policy', '', ''),
      ('app_hosts', 'bump_policy', '', ''),
      ('rules', 'bump_policy', '', '')
    ) AS wanted (name, does, kind, id)
  LOOP
    FOREACH op IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
      CONTINUE WHEN t.does = 'announce_tokens' AND op = 'delete';
      CONTINUE WHEN t.does = 'announce' AND op = 'insert' AND t.name IN ('sessions', 'api_keys');
      tables := CASE op WHEN 'insert' THEN 'NEW TABLE AS new_rows' WHEN 'delete' THEN 'OLD TABLE AS old_rows'
        ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END;
      EXECUTE format('CREATE TRIGGER %I AFTER %s ON %I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION %I(%L, %L)',
        t.does || '_' || op, op, t.name, tables, t.does, t.kind, t.id);
      EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.name, t.does || '_' || op);
    END LOOP;
    CONTINUE WHEN t.does = 'announce_tokens';
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION %I(%L, %L)',
      t.does || '_truncate', t.name, t.does, t.kind, t.id);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.name, t.does || '_truncate');
  END LOOP;
END $$;

CREATE FUNCTION use_name() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, gateway, pg_temp AS $$
BEGIN
  INSERT INTO gateway.used_names (tenant_id, name) VALUES (NEW.tenant_id, NEW.name);
  RETURN NULL;
EXCEPTION WHEN unique_violation THEN
  RAISE unique_violation USING MESSAGE = format('the user name %s was used before', NEW.name), CONSTRAINT = 'used_names_pkey';
END $$;
CREATE TRIGGER use_name_insert AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION use_name();
CREATE TRIGGER use_name_update AFTER UPDATE OF tenant_id, name ON users FOR EACH ROW
  WHEN ((OLD.tenant_id, OLD.name) <> (NEW.tenant_id, NEW.name)) EXECUTE FUNCTION use_name();
ALTER TABLE users ENABLE ALWAYS TRIGGER use_name_insert;
ALTER TABLE users ENABLE ALWAYS TRIGGER use_name_update;
