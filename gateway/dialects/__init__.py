"""The fan of dialects: one file for each way a proxy asks and is answered.

A member has ``PATH``, ``read(question, trust) -> AccessRequest | Malformed`` and
``write(decision, request, speech) -> Reply``. It reads one header family only, and no dialect knows ASGI.
"""

from __future__ import annotations

from gateway.dialects import traefik

FAN = (traefik,)

__all__ = ["FAN", "traefik"]
