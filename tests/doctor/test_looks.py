"""What is looked at in answers that came from where they should. What needs a proxy to go wrong is in ``tests/cli``."""

from __future__ import annotations

import json

import pytest

from gateway import headers
from gateway.doctor import looks, page
from gateway.doctor.page import Page
from gateway.doctor.words import Answer, Mistake, Patient, Unclear
from gateway.endpoints import returns
from gateway.tokens import Ring

NOW = 1_800_000_000.0
RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
OTHER = Ring("theirs", b"key2", {b"key2": b"\x02" * 32}, b"d" * 32)
PORTAL = "https://auth.example.com"
URL = "https://app.example.com/page?x=1"
PATIENT = Patient(
    Page(page.read(URL), "app", headers.STANDARD, "", "__Secure-gateway_session", PORTAL), RING, NOW, None
)


def sent(url: str = URL, portal: str = PORTAL, ring: Ring = RING) -> Answer:
    return Answer(302, (("location", f"{portal}/login?rd={returns.sign(ring, url, NOW)}"),))


TOLD = Answer(401, (("www-authenticate", "Session realm="),))
FOREIGN = Answer(403, (("content-type", "application/problem+json"),), b'{"code": "G139"}')


@pytest.mark.parametrize(
    ("came", "means"),
    [
        (sent(), None),
        (sent(portal="https://login.example.org"), "goes to https://login.example.org"),
        (sent(portal=""), "goes to "),
        (sent(ring=OTHER), "other keys"),
    ],
)
def test_the_sign_in_page_is_ours(came: Answer, means: str | None) -> None:
    found = looks.at_sign_in(PATIENT, [came])
    assert (found is None) if means is None else (isinstance(found, Mistake) and means in found.means)


@pytest.mark.parametrize(
    ("came", "handshake", "means"),
    [
        (sent(), TOLD, None),
        (sent("https://app.example.com:8443/page?x=1"), TOLD, "is told https://app.example.com:8443"),
        (sent("http://app.example.com/page?x=1"), TOLD, "is told http://app.example.com"),
        (sent("https://proxy.internal/page?x=1"), TOLD, "is told https://proxy.internal"),
        (sent("https://app.example.com/more/page?x=1"), TOLD, "another path"),
        (sent("https://app.example.com/page"), TOLD, "another path"),
        # An https portal says https whatever the gateway was told, so the scheme shows only here.
        (sent(), FOREIGN, "another scheme than https"),
        (sent(), Answer(403, ()), "another scheme than https"),
    ],
)
def test_the_address_is_the_visitors(came: Answer, handshake: Answer, means: str | None) -> None:
    found = looks.at_addresses(PATIENT, [came, handshake])
    assert (found is None) if means is None else (isinstance(found, Mistake) and means in found.means)


def test_where_the_return_url_cannot_be_read_nothing_is_said_of_addresses() -> None:
    assert isinstance(looks.at_addresses(PATIENT, [sent(ring=OTHER), TOLD]), Unclear)


def shown(*pairs: tuple[str, str]) -> Answer:
    told = {"method": "GET", "path": "/", "headers": pairs, "body_length": 0}
    return Answer(200, (("content-type", "application/json"),), json.dumps(told).encode())


@pytest.mark.parametrize(
    ("forged", "means"),
    [
        (shown(("remote-user", "")), None),
        (shown(), None),
        (Answer(400, ()), None),  # a proxy may refuse such a request as a whole
        (shown(("remote-user", looks.FORGED)), "Remote-User as a visitor wrote it"),
        (shown(("remote-user", ""), ("remote_user", looks.FORGED)), "Remote-User as a visitor wrote it"),
        (shown(("remote.groups", looks.FORGED)), "Remote-Groups as a visitor wrote it"),
        (shown(("remote-user", "somebody")), "change it"),
    ],
)
def test_a_forged_name_is_found_under_every_spelling(forged: Answer, means: str | None) -> None:
    found = looks.at_forged(PATIENT, [shown(("remote-user", "")), forged])
    assert (found is None) if means is None else (isinstance(found, Mistake) and means in found.means)
