"""The fan of real proxies: one launcher each, all put through the same journeys."""

from __future__ import annotations

from proxies import caddy, envoy, haproxy, nginx, traefik

FAN = (traefik, caddy, nginx, haproxy, envoy)
