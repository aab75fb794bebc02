"""HAProxy by its Lua HTTP client: HEAD or GET to a fixed address, the original request in ``X-Forwarded-*``.

The shipped action lets in on 200 and carries every other answer to the client. It opens a connection for each question,
and joins repeated headers by a comma.
"""

from __future__ import annotations

from gateway import originals, replies

PATH = "/auth/haproxy"
read = originals.forwarded
write = replies.carried
refuse = replies.unchanged
