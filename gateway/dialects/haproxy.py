"""HAProxy by its Lua HTTP client: GET to a fixed address, the original request in ``X-Forwarded-*``.

The shipped action lets in on 200 alone and carries every other answer that has a request id to the client. It keeps its
connections and sends repeated headers apart; other actions ask by HEAD on a fresh one, or join them by a comma.
"""

from __future__ import annotations

from gateway import originals, replies

PATH = "/auth/haproxy"
VARIES = originals.FORWARDED.uri
read = originals.forwarded
write = replies.carried
refuse = replies.unchanged
