"""Opaque tokens: minted, admitted by arithmetic, and known elsewhere only by their digest.

A token is ``prefix + base64url(key id 4 | expiry 5 | secret 20 | mac 16)``: 256 bits of nothing but randomness and its
proof, so a forged or dead one is refused without a question to anybody. Every kind has a prefix and a derived key of
its own (HKDF, RFC 5869), so no kind is accepted at another's door. Nothing here reads a clock, a file or the network.
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

PREFIXES: Mapping[str, str] = {
    "portal": "gwp_",
    "session": "gws_",
    "api_key": "gwk_",
    "attempt": "gwa_",
    "ticket": "gwt_",
    "csrf": "gwc_",
    "invitation": "gwi_",
    "return": "gwr_",
    "probe": "gwd_",
}
NEVER = (1 << 40) - 1
"""The expiry of a token that has none: the largest five-byte number of seconds."""

_KEY_ID, _EXPIRY, _SECRET, _MAC = 4, 5, 20, 16
_HEAD = _KEY_ID + _EXPIRY
LENGTH = 4 + (_HEAD + _SECRET + _MAC) * 4 // 3
CHECKSUM = 9


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """The signing keys, by id, and the digest key, which outlives them. ``withdrawn`` keys are refused."""

    id: str
    current: bytes
    roots: Mapping[bytes, bytes] = field(repr=False)
    digest_key: bytes = field(repr=False)
    derived: dict[tuple[bytes, str], bytes] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for key_id, root in self.roots.items():
            for kind in PREFIXES:
                self.derived[key_id, kind] = HKDFExpand(SHA256(), 32, f"gateway {kind}".encode()).derive(root)


def digest(ring: Ring, token: bytes) -> bytes:
    """The 32 bytes by which memory and storage know ``token``; keyed, so a stolen table cannot be searched."""
    return blake2b(token, key=ring.digest_key, digest_size=32).digest()


def mint(ring: Ring, kind: str, expires: int) -> str:
    """A fresh token of ``kind``, dead after ``expires`` (Unix seconds, or NEVER)."""
    return sign(ring, kind, secrets.token_bytes(_SECRET), expires)


def sign(ring: Ring, kind: str, payload: bytes, expires: int) -> str:
    """``payload`` in the clear with its expiry, signed for one purpose."""
    body = ring.current + expires.to_bytes(_EXPIRY, "big") + payload
    return PREFIXES[kind] + _encode(body + _mac(ring, kind, body))


def verify(ring: Ring, kind: str, token: str, now: float) -> bytes | None:
    """The payload of a living ``token`` of ``kind``, or None; in constant time where it matters."""
    raw = _decode(token.removeprefix(PREFIXES[kind])) if token.startswith(PREFIXES[kind]) else b""
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if len(raw) < _HEAD + _MAC or body[:_KEY_ID] not in ring.roots:
        return None
    if not hmac.compare_digest(mac, _mac(ring, kind, body)):
        return None
    return None if int.from_bytes(body[_KEY_ID:_HEAD], "big") < now else body[_HEAD:]


def admit(ring: Ring, kind: str, token: bytes, now: float) -> bool:
    """Whether this ring made ``token`` and it has not expired. Says nothing about whether it was ended since."""
    text = token.decode("latin-1")
    if kind == "api_key":
        text = unsealed(text)
    return verify(ring, kind, text, now) is not None


def sealed(token: str) -> str:
    """An API key as shown to people: with a checksum, so that secret scanners recognise one without any key."""
    return f"{token}_{zlib.crc32(token.encode()):08x}"


def unsealed(text: str) -> str:
    """The token within an API key, or an empty string where the checksum does not fit."""
    token = text[:-CHECKSUM]
    return token if hmac.compare_digest(sealed(token).encode(), text.encode()) else ""


def _mac(ring: Ring, kind: str, body: bytes) -> bytes:
    """Keyed BLAKE2b (RFC 7693 section 2.9): a MAC by itself, at a fraction of what HMAC costs inside a server."""
    return blake2b(body, key=ring.derived[body[:_KEY_ID], kind], digest_size=_MAC).digest()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Strict: only the one spelling that ``_encode`` writes, so that a token has no second name."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (BadBase64, ValueError):
        return b""
    return raw if _encode(raw) == text else b""
