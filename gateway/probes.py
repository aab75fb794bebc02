"""The question that ``gateway doctor`` wants a failure for: what would this proxy do if the gateway could not answer?

A signed token in a cookie of its own, good for one host and one minute. A door answers it 503, whatever the caller's
dialect (Envoy's too, which is never told 5xx otherwise: that one would let it in is what the doctor asks). So it can ask
for nothing but a no, and an app that is handed one by an open proxy could only ask that about itself. Pure; the
doctor mints, the hot door reads.
"""

from __future__ import annotations

from gateway import tokens
from gateway.credentials.cookies import values
from gateway.model import AccessRequest
from gateway.tokens import Ring

COOKIE = b"gateway_probe"
CODE = "G310"
LIFETIME = 60


def mint(ring: Ring, host: str, wall: float) -> str:
    """A token that stands for "fail, at this host"."""
    return tokens.sign(ring, "probe", host.encode(), int(wall) + LIFETIME)


def asks(request: AccessRequest, ring: Ring, wall: float) -> bool:
    """Whether this question presents such a token for its host. For whoever has seen that COOKIE is in the header; of
    several values none is looked at, so nobody can make a door verify a header full of them."""
    sent = values(request.headers.get(b"cookie", b""), COOKIE)
    return len(sent) == 1 and tokens.verify(ring, "probe", sent[0].decode("latin-1"), wall) == request.host.encode()
