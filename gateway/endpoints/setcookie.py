"""Writing our cookies (RFC 6265bis section 4.1). Over http, which means a host under .localhost, they cannot be Secure."""

from __future__ import annotations

from typing import NamedTuple

from gateway.credentials import CookieNames
from gateway.credentials.cookies import names


class Cookies(NamedTuple):
    """What our cookies are called and where they go. ``domain`` is the app cookie's; the portal's has none."""

    names: CookieNames
    attempt: bytes
    domain: str
    secure: bool
    lifetime: int

    def signed_in(self, portal: str, session: str) -> list[bytes]:
        """Both cookies of a sign-in."""
        return [
            self._cookie(self.names.portal, portal, self.lifetime),
            self._cookie(self.names.session, session, self.lifetime, self.domain),
            self._cookie(self.attempt, "", 0),
        ]

    def signed_out(self) -> list[bytes]:
        """Both gone, with the attributes they were set with."""
        return [self._cookie(self.names.portal, "", 0), self._cookie(self.names.session, "", 0, self.domain)]

    def attempted(self, token: str) -> bytes:
        """The cookie that a sign-in form is bound to, before anybody is known."""
        return self._cookie(self.attempt, token, 3600)

    def _cookie(self, name: bytes, value: str, seconds: int, domain: str = "") -> bytes:
        parts = [f"{name.decode()}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Lax"]
        if domain:
            parts.append(f"Domain={domain}")
        if self.secure:
            parts.append("Secure")
        return "; ".join(parts).encode()


def cookies(*, secure: bool, domain: str, lifetime: int) -> Cookies:
    """The cookies of this installation."""
    attempt = b"__Host-gateway_attempt" if secure else b"gateway_attempt"
    return Cookies(names(secure=secure), attempt, domain, secure, lifetime)
