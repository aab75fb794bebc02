"""Traefik's forwardAuth: GET to a fixed address, the original request in ``X-Forwarded-*``.

Any 2xx lets in; every other answer goes to the client whole. Traefik computes the five headers itself, or keeps those of
a proxy it trusts; a question that lacks one is refused, never answered from this request's own Host or path.
"""

from __future__ import annotations

from gateway import originals, replies

PATH = "/auth/traefik"
VARIES = originals.FORWARDED.uri
read = originals.forwarded
write = replies.carried
refuse = replies.unchanged
