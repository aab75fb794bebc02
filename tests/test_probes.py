"""Probes: a question that asks for a failure gets one at every door, and nothing but a probe does."""

from __future__ import annotations

import json

import pytest

from asking import ask, question, request
from gateway import dialects, probes, tokens
from gateway.model import AccessRequest
from gateway.tokens import Ring
from serving import Served

NOW = 1_800_000_000
RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
OTHER = Ring("theirs", b"key1", {b"key1": b"\x02" * 32}, b"d" * 32)
PROBE = probes.mint(RING, "app.example.com", NOW)


def asked(cookie: str, host: str = "app.example.com") -> AccessRequest:
    return AccessRequest("GET", "https", host, host, "/", "", "/", None, {b"cookie": cookie.encode("latin-1")})


@pytest.mark.parametrize("cookie", [f"gateway_probe={PROBE}", f"a=1; gateway_probe={PROBE}; b=2"])
def test_a_probe_asks_for_a_failure(cookie: str) -> None:
    assert probes.asks(asked(cookie), RING, NOW)


@pytest.mark.parametrize(
    "cookie",
    [
        "gateway_probe=",
        "gateway_probe=1",
        f"gateway_probe={PROBE[:-1]}",
        f"gateway_probe={PROBE}; gateway_probe={PROBE}",
        f"a_gateway_probe={PROBE}",
        f"other=gateway_probe={PROBE}",
        f"gateway_probe={probes.mint(OTHER, 'app.example.com', NOW)}",
        f"gateway_probe={tokens.sign(RING, 'return', b'app.example.com', NOW + 60)}",
        f"gateway_probe=gwd_{tokens.sign(RING, 'session', b'app.example.com', NOW + 60)[4:]}",
        "gateway_probe=gwd_\xe9",
    ],
)
def test_nothing_else_does(cookie: str) -> None:
    assert not probes.asks(asked(cookie), RING, NOW)


def test_a_probe_is_good_for_its_host_and_a_minute() -> None:
    cookie = f"gateway_probe={PROBE}"
    assert not probes.asks(asked(cookie, "admin.example.com"), RING, NOW)
    assert probes.asks(asked(cookie), RING, NOW + probes.LIFETIME)
    assert not probes.asks(asked(cookie), RING, NOW + probes.LIFETIME + 1)


QUESTIONS = {
    "envoy": ("/auth/envoy/", [("Host", "app.example.com"), ("X-Forwarded-Proto", "https")]),
    "nginx": ("/auth/nginx", [("X-Original-Method", "GET"), ("X-Original-URL", "https://app.example.com/")]),
}
"""How those are asked that are not asked alike."""


@pytest.mark.parametrize("member", dialects.FAN, ids=lambda member: member.PATH)
@pytest.mark.parametrize("known", [False, True])
def test_every_door_answers_a_probe_503_whoever_shows_it(served: Served, member: object, known: bool) -> None:
    path = member.PATH  # type: ignore[attr-defined]
    name = path.strip("/").rpartition("/")[2]
    target, headers = QUESTIONS.get(name, (path, question(accept=None)))
    ring, wall = served.gateway.cache.ring, served.gateway.ground.wall()
    cookies = [f"gateway_probe={probes.mint(ring, 'app.example.com', wall)}"]
    if known:
        served.user("alice")
        cookies.append(served.session("alice")[1])
    answer = ask(served.address, request("GET", target, [*headers, ("Cookie", "; ".join(cookies))]))
    assert answer.status == 503
    assert json.loads(answer.body)["code"] == probes.CODE
    assert name in json.loads(answer.body)["detail"]
    assert answer.all("remote-user") == []


def test_a_probe_for_another_host_changes_nothing(served: Served) -> None:
    token = probes.mint(served.gateway.cache.ring, "admin.example.com", served.gateway.ground.wall())
    assert served.check(cookie=f"gateway_probe={token}").status == 302
    served.user("alice")
    _, cookie = served.session("alice")
    assert served.check(cookie=f"gateway_probe={token}; {cookie}")["remote-user"] == "alice"
