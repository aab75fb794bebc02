"""The same requests as a proxy's questions about them, for runs that leave the proxy and the app out.

What is measured then is the check alone. Spoken is Traefik's forwardAuth, which other gateways understand as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from waves import Asset

CLIENT = "192.0.2.1"
"""A browser somewhere (RFC 5737)."""


class Question(NamedTuple):
    """Where the check is asked for, and the secret that says that a proxy asks ("" where the address says so)."""

    path: str
    secret: str

    def headers(self, asset: Asset, path: str, said: Mapping[str, str]) -> dict[str, str]:
        """What Traefik sends in place of the browser's request."""
        host = said["Host"]
        forwarded = {"Method": asset.method, "Proto": "http", "Host": host, "Uri": path, "For": CLIENT}
        kept = {name: value for name, value in said.items() if name != "Host"}
        kept |= {f"X-Forwarded-{name}": value for name, value in forwarded.items()}
        return kept | ({"X-Gateway-Secret": self.secret} if self.secret else {})
