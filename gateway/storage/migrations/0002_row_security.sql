-- Row level security: against a forgotten WHERE, not against SQL injection (any role may set the tenant)

SET LOCAL ROLE gateway_owner;
SET LOCAL search_path = gateway, pg_temp;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['users', 'used_names', 'groups', 'memberships', 'factors', 'sessions', 'api_keys', 'apps',
    'app_hosts', 'rules', 'policy_state', 'session_seen', 'api_key_seen', 'app_seen', 'applied', 'audit', 'tenants']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (%I = tenant()) WITH CHECK (%I = tenant())', t,
      CASE t WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END, CASE t WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END);
    EXECUTE format('CREATE POLICY lookup ON %I FOR SELECT TO gateway_lookup USING (true)', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO gateway_runtime', t);
    EXECUTE format('GRANT SELECT ON %I TO gateway_lookup', t);
  END LOOP;
END $$;
REVOKE SELECT, UPDATE, DELETE ON audit FROM gateway_runtime;
REVOKE UPDATE, DELETE ON used_names, applied FROM gateway_runtime;
REVOKE INSERT, UPDATE, DELETE ON tenants FROM gateway_runtime;
REVOKE DELETE ON policy_state FROM gateway_runtime;  -- a revision never goes back
GRANT SELECT ON installation TO gateway_runtime;
GRANT SELECT, INSERT, UPDATE ON signing_keys TO gateway_runtime;
GRANT SELECT, INSERT, DELETE ON replicas TO gateway_runtime;
