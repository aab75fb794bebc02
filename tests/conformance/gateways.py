"""The gateways that conformance rows ask, made once a module, and the words that rows use for credentials."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import serving
from asking import ask, question, request
from databases import Cluster
from gateway import tokens
from gateway.endpoints import returns
from gateway.settings import Trust
from gateway.tokens import Ring
from serving import Served

SECRET = "open sesame"
TRUST = {
    "strangers": Trust(),
    "secretive": Trust(proxies=(ip_network("127.0.0.1"),), secret=SECRET),
}
WARM = [("app.example.com", "alice"), ("app.example.com", "bob")]


@dataclass
class Gateway:
    """One gateway with alice (users) and bob (admins, users), everything that rows ask about already in memory."""

    served: Served
    words: dict[str, str] = field(default_factory=dict)

    @property
    def ring(self) -> Ring:
        return self.served.gateway.cache.ring

    def return_url(self, location: str) -> str | None:
        """What the login page's address says about where to come back to, if this gateway signed it for that."""
        page, _, token = location.partition("?rd=")
        payload = tokens.verify(self.ring, "return", token, self.served.gateway.ground.wall())
        assert page == "https://auth.example.com/login"
        return None if payload is None else payload.removeprefix(b"1 ").decode()


class Gateways:
    """Each started when the first row wants it."""

    def __init__(self, cluster: Cluster, directory: Path, stack: ExitStack) -> None:
        self._cluster, self._directory, self._stack = cluster, directory, stack
        self._made: dict[str, Gateway] = {}

    def __getitem__(self, name: str) -> Gateway:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Gateway:
        directory = self._directory / name
        directory.mkdir()
        url = self._stack.enter_context(self._cluster.database())
        chosen = serving.settings(directory, **({"trust": TRUST[name]} if name in TRUST else {}))
        apps = "apps: []" if name == "empty" else serving.APPS
        return furnish(self._stack.enter_context(serving.serve(url, directory, chosen, apps=apps)), name)


@contextmanager
def gateways(cluster: Cluster, directory: Path) -> Iterator[Gateways]:
    """All of them, until the end of the module."""
    with ExitStack() as stack:
        yield Gateways(cluster, directory, stack)


def furnish(served: Served, name: str = "usual") -> Gateway:
    """Users, credentials, and every living one of them asked about once."""
    served.user("alice", ["users"], display="Alice", email="alice@example.com")
    served.user("bob", ["admins", "users"])
    made = Gateway(served)
    living = {person: served.session(person)[1].partition("=")[2] for person in ("alice", "bob")}
    keys = {"key": served.key("alice")[1], "narrow": served.key("bob", None if name == "empty" else ["admin"])[1]}
    made.words = words(made.ring, served.gateway.ground.wall(), living | keys)
    for token in living.values():
        _ask(served, name, cookie=f"{serving.COOKIE}={token}")
    for key in keys.values():
        _ask(served, name, key=key)
    return made


def _ask(served: Served, name: str, **how: Any) -> None:
    more = [("X-Gateway-Secret", SECRET)] if name == "secretive" else []
    ask(served.address, request("GET", "/auth/traefik", question("app.example.com", "/", more=more, **how)))


def words(ring: Ring, wall: float, living: dict[str, str]) -> dict[str, str]:
    """What rows may say between braces: living tokens, and everything that must not count as one."""
    later, before = int(wall) + 3600, int(wall) - 1
    foreign = Ring("another", b"abcd", {b"abcd": secrets.token_bytes(32)}, ring.digest_key)
    alice, key = living["alice"], living["key"]
    said = {
        **living,
        "cookie": serving.COOKIE,
        "expired": tokens.mint(ring, "session", before),
        "foreign": tokens.mint(foreign, "session", later),
        "foreign-key": tokens.sealed(tokens.mint(foreign, "api_key", tokens.NEVER)),
        "expired-key": tokens.sealed(tokens.mint(ring, "api_key", before)),
        "return": returns.sign(ring, "https://app.example.com/", wall),
        "cut": alice[:-1],
        "alice-head": alice[:-4],
        "alice-tail": alice[4:],
        "key-head": key[:-9],
        "4k": "A" * 4096,
        "long": "a" * 2048,
        "100 cookies": "; ".join(f"other{number}={number}" for number in range(100)),
    }
    for kind in ("portal", "attempt", "ticket", "csrf"):
        said[kind] = tokens.mint(ring, kind, later)
    said["portal-as-session"] = "gws_" + said["portal"][4:]
    for number in range(1, 21):
        said[f"alice^{number}"] = flipped(alice, number)
        said[f"key^{number}"] = flipped(key, number)
    return said


def flipped(token: str, number: int) -> str:
    """``token`` with one bit of its content changed; ``number`` of 20 says where, from first byte to last."""
    raw = bytearray(base64.urlsafe_b64decode(token[4:64]))
    place = (number - 1) * (len(raw) - 1) // 19
    raw[place] ^= 1 << (number % 8)
    return token[:4] + base64.urlsafe_b64encode(raw).decode() + token[64:]
