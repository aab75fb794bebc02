"""The fan of dialects: one file for each way a proxy asks and is answered.

A member has

- ``PATH``: the one path it answers at, or a prefix where it ends with a slash;
- ``VARIES``: the header that says the path, nothing but the path, and is all that the path is read from; or nothing;
- ``read(question, trust) -> AccessRequest | Malformed`` and ``write(decision, request, speech) -> Reply``;
- ``refuse(reply) -> Reply``, which says a refusal made before there was a decision (400, 403, 503) in a way that this
  caller takes for a no.

It reads one header family only, and no dialect knows ASGI.
"""

from __future__ import annotations

from gateway.dialects import caddy, envoy, haproxy, nginx, traefik

FAN = (traefik, caddy, nginx, haproxy, envoy)

__all__ = ["FAN", "caddy", "envoy", "haproxy", "nginx", "traefik"]
