"""Small values that tests of judgement and memory are made of: a key ring, tokens, facts, requests, people."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from math import inf
from typing import Any

from gateway import tokens
from gateway.check import Moment
from gateway.credentials.cookies import names
from gateway.lookups import Fact
from gateway.model import AccessRequest, Credential, Identity
from gateway.tokens import Ring

RING = Ring("samples", b"key1", {b"key1": b"r" * 32}, b"d" * 32)
NAMES = names(secure=True)
NOW, WALL = 1_000.0, 1_700_000_000.0
"""The boot clock and the wall clock of a test."""
MOMENT = Moment(NOW, WALL)
OFFSET = WALL - NOW
LATER = int(WALL) + 86_400


def session(kind: str = "session", expires: int = LATER) -> str:
    """A session's token."""
    return tokens.mint(RING, kind, expires)


def api_key(expires: int = LATER) -> str:
    """A key as people hold it."""
    return tokens.sealed(tokens.mint(RING, "api_key", expires))


def credential(token: str, kind: str = "session") -> Credential:
    """By what memory knows ``token``."""
    return Credential(kind, tokens.digest(RING, token.encode()))


def cookies(*values: str) -> dict[bytes, bytes]:
    """A Cookie header that presents these session tokens."""
    return {b"cookie": b"; ".join(b"__Secure-gateway_session=" + value.encode() for value in values)}


def fact(of: Credential, **more: Any) -> Fact:
    """What storage says of ``of``: a session of alice, or whatever ``more`` says."""
    said: dict[str, Any] = {
        "id": 11,
        "parent": None,
        "tenant": 1,
        "user_id": 7,
        "name": "alice",
        "display": "Alice",
        "email": "alice@example.com",
        "groups": ("users",),
        "group_ids": (3,),
        "factors": ("password",),
        "level": 1,
        "apps": None,
        "audience": "",
        "ends": 3600.0,
        "idle": inf,
        "idle_ends": inf,
        "age": 5.0,
        "refused": "",
    }
    return Fact(credential=of, **(said | more))


def person(name: str = "alice", **more: Any) -> Identity:
    """A subject proven now."""
    said: dict[str, Any] = {"tenant": 1, "user_id": sum(name.encode()), "name": name, "groups": frozenset({"users"})}
    return Identity(**(said | more))


def request(headers: Mapping[bytes, bytes] | None = None, **more: Any) -> AccessRequest:
    """GET https://app.example.com/ from 203.0.113.9, or whatever ``more`` says."""
    said: dict[str, Any] = {
        "method": "GET",
        "scheme": "https",
        "host": "app.example.com",
        "path": "/",
        "unclear": "",
        "client": "203.0.113.9",
    }
    said |= more
    client = said.pop("client")
    return AccessRequest(
        said["method"],
        said["scheme"],
        said["host"],
        said["host"],
        said["path"],
        said["unclear"],
        said["path"],
        ip_address(client) if client else None,
        headers or {},
    )
