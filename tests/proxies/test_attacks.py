"""What a stranger, or bob, may send to a proxy byte for byte, and what must not come of it at the app behind.

Whatever a proxy makes of a row, refusing it or passing it on in another form, this holds: the app sees no request that
the sender may not make, none but those that the gateway was asked about and let in, as it was asked, no identity but the
sender's own, nothing that the sender forged, never the secret, and at most one request for each that was sent.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from asking import Answer, Line
from gateway import signals
from gateway.model import AccessRequest
from processes import free_port
from proxies.attacks import ATTACKS, HOST, Attack, get
from proxies.recorder import Arrived, Recorder, recorder
from proxies.stand import SECRET, Stand

IDENTITY = {"remote-user": "bob", "remote-groups": "users", "remote-name": "", "remote-email": ""}
"""What the app may read about bob."""
HARMLESS = ("origin", "x-first")
"""Headers that say what a sender likes, and a folded line is the value of the header before it (RFC 9112 section 5.2)."""


class Ground(NamedTuple):
    """A proxy whose app is the recorder."""

    stand: Stand
    app: Recorder
    judged: list[tuple[str, str, str]]
    cookie: str


@pytest.fixture(scope="module")
def ground(stand: Stand) -> Iterator[Ground]:
    (value,) = stand.cookie("bob").values()
    with tempfile.TemporaryDirectory(prefix="gw-attacks-") as directory, recorder() as app:
        Path(directory).chmod(0o755)
        wiring = stand.wiring._replace(port=free_port(), demo=app.address, directory=Path(directory))
        with stand.proxy.start(wiring), judgements() as judged:
            made = Ground(Stand(stand.proxy, stand.served, wiring), app, judged, f"gateway_session={value}")
            _await_app(made)
            yield made


@contextmanager
def judgements() -> Iterator[list[tuple[str, str, str]]]:
    """Method, host and target of everything that is let in meanwhile, as the gateway read them."""
    judged = []

    def hear(door: str, *, request: AccessRequest, **unused: object) -> None:
        judged.append((request.method, request.host, request.uri))

    signals.decided["allow"].connect(hear, weak=False)
    try:
        yield judged
    finally:
        signals.decided["allow"].disconnect(hear)


def _await_app(ground: Ground) -> None:
    deadline = time.monotonic() + 30
    while not ground.app.arrived:
        assert time.monotonic() < deadline, "nothing arrives at the app"
        sent(ground, Attack("honest", get("/public/")))


@pytest.mark.parametrize("attack", ATTACKS, ids=[row.name for row in ATTACKS])
def test_an_attack_comes_to_nothing(ground: Ground, attack: Attack) -> None:
    before = len(ground.app.arrived)
    ground.judged.clear()
    answers = sent(ground, attack)
    arrived = ground.app.arrived[before:]
    told = "\n".join(map(repr, [answers, *ground.judged, *arrived]))
    assert len(arrived) <= attack.requests, told
    for one in arrived:
        assert allowed(one, bob=attack.bob), told
        assert asked(one) in ground.judged, told
        assert honest(one, bob=attack.bob), told
    assert all(answer.status != 101 for answer in answers), told


def test_the_app_of_this_ground_is_reached_at_all(ground: Ground) -> None:
    """Else the table would say nothing."""
    for attack in (Attack("public", get("/public/x")), Attack("bob's", get("/private"), bob=True)):
        before = len(ground.app.arrived)
        (answer,) = sent(ground, attack)
        (arrived,) = ground.app.arrived[before:]
        assert (answer.status, arrived.values("host")) == (200, [HOST])
        assert arrived.spelled_like("remote-user") in (["bob"] if attack.bob else [], ["bob" if attack.bob else ""])


def sent(ground: Ground, attack: Attack) -> list[Answer]:
    """What came back until the proxy closed, after the app has read everything that it was sent."""
    answers = []
    with Line(ground.stand.address) as line:
        line.send(attack.data(ground.cookie))
        first = line.answer(head=attack.head.startswith("HEAD"))
        while first is not None and first.status == 100:  # the proxy will ask only now
            answers.append(first)
            first = line.answer(head=attack.head.startswith("HEAD"))
        if first is not None:
            answers.append(first)
            with suppress(OSError):
                # Only now, because some proxies drop what a client no longer waits for.
                line.socket.shutdown(socket.SHUT_WR)
            while (more := line.answer()) is not None:
                answers.append(more)
    ground.app.settle()
    return answers


def allowed(arrived: Arrived, *, bob: bool) -> bool:
    """Whether the sender may see this, by the rules of ``config/apps.yaml``, however an app may read the path."""
    if arrived.target == "/smuggled":
        return False  # without bob's cookie, whoever sent it
    if not all(host.lower().partition(":")[0] == HOST for host in arrived.values("host")):
        return False
    plain = arrived.target.startswith("/public/") and not any(dots in arrived.target.lower() for dots in ("..", "%2e"))
    return bob or plain


def asked(arrived: Arrived) -> tuple[str, str, str]:
    """What the gateway must have read, if this is what it let in."""
    (host,) = arrived.values("host")
    return arrived.method, host.lower().partition(":")[0], arrived.target


def honest(arrived: Arrived, *, bob: bool) -> bool:
    """Whether it says who sent it, nothing in it was forged, and the secret has stayed behind."""
    for name, value in IDENTITY.items():
        found = arrived.spelled_like(name)
        if found != [value] if bob and value else any(found):
            return False
    if "remote" in " ".join(arrived.values("connection")).lower():
        return False  # the next server would take away what is nominated here
    values = " ".join(value for name, value in arrived.headers if name not in HARMLESS)
    return "evil" not in values.lower() and SECRET not in values
