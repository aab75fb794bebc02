"""Caddy's forward_auth: GET to a fixed address, the original request in ``X-Forwarded-*``.

Any 2xx lets in; every other answer goes to the client whole. Caddy keeps ``Connection: Upgrade`` on the question, which
is answered as ordinary HTTP all the same, and it skips an identity header with an empty value, so its file deletes what a
client sent under these names (CVE-2026-30851).
"""

from __future__ import annotations

from gateway import originals, replies

PATH = "/auth/caddy"
VARIES = originals.FORWARDED.uri
read = originals.forwarded
write = replies.carried
refuse = replies.unchanged
