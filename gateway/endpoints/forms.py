"""Reading a posted form, and proving that it is ours: Origin, or Fetch Metadata, and a token bound to the browser.

Cookies alone prove nothing here: every app under the domain is same-site, and a sibling subdomain is not same-origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from gateway import tokens
from gateway.tokens import Ring

LARGEST = 16 * 1024
MOST_FIELDS = 20
LIFETIME = 3600


class BadForm(Exception):
    """A form that is not taken: the message is for the person, the status for the browser."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read(request: Request) -> Mapping[str, str]:
    """The fields of an urlencoded form, each once; BadForm for anything larger or other."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadForm(415, "This form was sent in a way that is not understood here.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise BadForm(413, "This form is too large.")
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (ValueError, ClientDisconnect):
        raise BadForm(400, "This form cannot be read.") from None
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def require_same_origin(request: Request, portal_url: str) -> None:
    """The browser's own word that the form came from this portal; where it says two things, both must fit."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    same = site == "same-origin" if origin is None else origin == portal_url
    if not same or site in ("cross-site", "same-site"):
        raise BadForm(403, "This form came from somewhere else.")


def token(ring: Ring, bound: bytes, wall: float) -> str:
    """A token for the forms of one page, good for the browser that holds the cookie ``bound``."""
    return tokens.sign(ring, "csrf", _binding(bound), int(wall) + LIFETIME)


def require_token(ring: Ring, fields: Mapping[str, str], bound: bytes, wall: float) -> None:
    """The token of a page that this browser was shown."""
    if not bound or tokens.verify(ring, "csrf", fields.get("csrf", ""), wall) != _binding(bound):
        raise BadForm(403, "This page was open for too long, or came from another browser. Please try again.")


def _binding(bound: bytes) -> bytes:
    return blake2b(bound, digest_size=18).digest()
