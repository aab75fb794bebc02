-- Protocols beside WebSocket that a connection to an app may be upgraded to

SET LOCAL ROLE gateway_owner;
SET LOCAL search_path = gateway, pg_temp;

-- HTTP tokens in lower case, with or without a version. Requests in a tunnel of HTTP or TLS would be judged by nobody, so
-- a hand in psql cannot open one either.
ALTER TABLE apps ADD upgrades words NOT NULL DEFAULT '{}' CHECK (
  array_to_string(upgrades, ' ') ~ '^[a-z0-9!#$%&''*+.^_`|~/ -]*$'
  AND array_to_string(upgrades, ' ') !~ '(^| )(tls|(websocket|http|h2c?)(/| |$))');
