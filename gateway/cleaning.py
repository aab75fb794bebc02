"""Interim; replaced by the full room."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.model import Headers

HOP = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings", b"proxy-authorization", b"proxy-authenticate", b"content-length", b"expect", b"x-gateway-secret"})
EXACT = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip", b"x-forwarded"})
PREFIX = (b"x-forwarded-", b"x-original-", b"x-rewrite-", b"remote-", b"x-remote-", b"x-auth-request-", b"x-gateway-")


@dataclass(frozen=True, slots=True)
class Rules:
    cookies: tuple[bytes, ...]
    identity: frozenset[bytes]
    overrides: bool


class Origin(NamedTuple):
    peer: str | None
    scheme: str
    authority: str
    trusted: bool


def cuts(headers: Headers, rules: Rules) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    named = {t.strip(b" \t").lower() for n, v in headers if n.lower() == b"connection" for t in v.split(b",")} - {b"host"}
    at = 0
    for name, value in headers:
        low = name.lower()
        end = at + len(name) + len(value) + 4
        norm = re.sub(rb"[^a-z0-9]", b"-", low)
        if low in HOP or low in named or norm in EXACT or norm.startswith(PREFIX) or norm in rules.identity:
            pass
        elif low == b"cookie":
            pairs = [p for p in value.split(b";")]
            start = at + len(name) + 2
            spans = []
            pos = start
            for p in pairs:
                if p.partition(b"=")[0].strip(b" \t") not in rules.cookies:
                    spans.append((pos, pos + len(p)))
                pos += len(p) + 1
            if len(spans) == len(pairs):
                found.append((at, end))
            elif spans:
                found.append((at, start))
                for i, (a, b) in enumerate(spans):
                    found.append((a, b + 1 if i < len(spans) - 1 else b))
                found.append((end - 2, end))
        else:
            found.append((at, end))
        at = end
    return found


def wants_trailers(headers: Headers) -> bool:
    return any(name.lower() == b"te" and b"trailers" in value.lower() for name, value in headers)


def is_loop(headers: Mapping[bytes, bytes], pseudonym: bytes) -> bool:
    return pseudonym in headers.get(b"via", b"")


def forwarded(headers: Mapping[bytes, bytes], origin: Origin, pseudonym: bytes) -> bytes:
    peer = (origin.peer or "unknown").encode()
    xff = b"" if not origin.trusted else headers.get(b"x-forwarded-for", b"")
    xff = xff + b", " + peer if xff else peer
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\nVia: 1.1 %b\r\n" % (xff, origin.authority.encode(), origin.scheme.encode(), pseudonym)


def outward(headers: Headers, cookies: tuple[bytes, ...]) -> bytes:
    out = []
    for name, value in headers:
        low = name.lower()
        if low in HOP or low == b"alt-svc":
            continue
        if low == b"set-cookie" and value.lstrip(b" \t=").partition(b"=")[0].strip(b" \t") in cookies:
            continue
        out.append(b"%b: %b\r\n" % (name, value))
    return b"".join(out)


def trailers(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % h for h in headers)
