-- Lookups: one statement each, across tenants, because nobody is known yet

SET LOCAL ROLE gateway_owner;
SET LOCAL search_path = gateway, pg_temp;

GRANT CREATE ON SCHEMA gateway TO gateway_lookup;
SET LOCAL ROLE gateway_lookup;

CREATE TYPE proof AS (
  kind text, digest bytea, id bigint, parent_id bigint, tenant_id bigint, user_id bigint, name text, display text,
  email text, groups text[], group_ids bigint[], factors text[], level smallint, apps text[], audience text,
  ends double precision, idle double precision, idle_ends double precision, age double precision, refused text
);

-- What each digest proves now, with seconds left by this clock, and in the last row the revision of the policy. A row
-- whose user or parent is not there (a hand that switched foreign keys off) is refused like one that was ended. Epochs
-- are subtracted, not times: no value of a row may make the statement fail, because it asks for others too.
CREATE FUNCTION lookup(session_digests bytea[], key_digests bytea[]) RETURNS TABLE (revision bigint, proof proof)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT NULL::bigint, ROW(
    s.kind, s.digest, s.id, s.parent_id, s.tenant_id, s.user_id, u.name, u.display,
    CASE WHEN u.email_verified THEN u.email ELSE '' END,
    ARRAY(SELECT g.name FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id ORDER BY g.name),
    ARRAY(SELECT m.group_id FROM memberships m WHERE m.user_id = u.id),
    ARRAY(SELECT DISTINCT f.kind FROM factors f WHERE f.user_id = u.id),
    s.level, NULL, s.audience,
    extract(epoch FROM least(s.expires_at, parent.expires_at)) - extract(epoch FROM now()),
    extract(epoch FROM s.idle),
    extract(epoch FROM coalesce(seen.last_seen, s.created_at)) + extract(epoch FROM s.idle) - extract(epoch FROM now()),
    extract(epoch FROM now()) - extract(epoch FROM s.created_at),
    CASE WHEN u.id IS NULL OR (s.parent_id IS NOT NULL AND parent.user_id IS DISTINCT FROM s.user_id) THEN 'ended'
         WHEN s.ended_at IS NOT NULL OR parent.ended_at IS NOT NULL THEN 'ended'
         WHEN u.disabled_at IS NOT NULL THEN 'disabled'
         WHEN least(s.expires_at, parent.expires_at) <= now() THEN 'expired'
         ELSE '' END
  )::proof
  FROM sessions s
  LEFT JOIN users u ON u.id = s.user_id AND u.tenant_id = s.tenant_id
  LEFT JOIN sessions parent ON parent.id = s.parent_id
  LEFT JOIN session_seen seen ON seen.session_id = coalesce(s.parent_id, s.id)
  WHERE s.digest = ANY (session_digests)
  UNION ALL
  SELECT NULL, ROW(
    'api_key', k.digest, k.id, NULL, k.tenant_id, k.user_id, u.name, u.display,
    CASE WHEN u.email_verified THEN u.email ELSE '' END,
    ARRAY(SELECT g.name FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id ORDER BY g.name),
    ARRAY(SELECT m.group_id FROM memberships m WHERE m.user_id = u.id),
    '{}', 1, k.apps, '',
    extract(epoch FROM k.expires_at) - extract(epoch FROM now()), NULL, NULL,
    extract(epoch FROM now()) - extract(epoch FROM k.created_at),
    CASE WHEN u.id IS NULL OR k.ended_at IS NOT NULL THEN 'ended' WHEN u.disabled_at IS NOT NULL THEN 'disabled'
         WHEN k.expires_at <= now() THEN 'expired' ELSE '' END
  )::proof
  FROM api_keys k LEFT JOIN users u ON u.id = k.user_id AND u.tenant_id = k.tenant_id
  WHERE k.digest = ANY (key_digests)
  UNION ALL
  SELECT (SELECT coalesce(sum(revision), 0)::bigint FROM policy_state), NULL;
$$;

-- The most recently used credentials, so that the first request after a start or a lost ear finds a warm memory.
CREATE FUNCTION preload(most integer) RETURNS TABLE (revision bigint, proof proof)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT * FROM lookup(
    ARRAY(SELECT s.digest FROM session_seen seen
      JOIN sessions s ON coalesce(s.parent_id, s.id) = seen.session_id
      WHERE s.ended_at IS NULL AND s.expires_at > now() ORDER BY seen.last_seen DESC LIMIT most),
    ARRAY(SELECT k.digest FROM api_key_seen seen JOIN api_keys k ON k.id = seen.api_key_id
      WHERE k.ended_at IS NULL ORDER BY seen.last_seen DESC LIMIT most));
$$;

-- Every app with its rules, and the revision, from one snapshot.
CREATE FUNCTION policy() RETURNS TABLE (revision bigint, apps jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT (SELECT coalesce(sum(revision), 0)::bigint FROM policy_state),
    coalesce((SELECT jsonb_agg(to_jsonb(a) || jsonb_build_object(
      'hosts', (SELECT coalesce(jsonb_agg(h.host ORDER BY h.position, h.host), '[]') FROM app_hosts h WHERE h.app_id = a.id),
      'rules', (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.position, r.id), '[]') FROM rules r WHERE r.app_id = a.id)
    ) ORDER BY a.position, a.id) FROM apps a), '[]');
$$;

CREATE FUNCTION read_audit(wanted bigint, most integer) RETURNS SETOF audit
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT * FROM audit WHERE tenant_id = wanted ORDER BY at DESC, id DESC LIMIT most;
$$;

REVOKE EXECUTE ON FUNCTION lookup, preload, policy, read_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup, preload, policy TO gateway_runtime;

SET LOCAL ROLE gateway_owner;
REVOKE CREATE ON SCHEMA gateway FROM gateway_lookup;

SELECT set_config('gateway.tenant', '1', true);
INSERT INTO tenants (id, name) VALUES (1, 'default');
ALTER TABLE tenants ALTER COLUMN id RESTART WITH 2;
INSERT INTO policy_state (tenant_id) VALUES (1);
