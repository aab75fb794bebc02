"""What the signals say, as log lines: the ear, sign-ins, and every no; never a path, a query or a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import signals
from gateway.model import Deny, Malformed, Reply
from gateway.observe.news import News
from samples import person, request

REPLY = Reply(403, [(b"x-request-id", b"0123abcd")])
ALWAYS = set(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


@pytest.fixture
def news(caplog: pytest.LogCaptureFixture) -> Iterator[News]:
    connected = News()
    connected.connect()
    with caplog.at_level(logging.INFO, "gateway"):
        yield connected
    connected.disconnect()


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Level, message and fields of every line."""
    return [
        (line.levelname, line.getMessage(), {name: value for name, value in vars(line).items() if name not in ALWAYS})
        for line in caplog.records
    ]


def test_that_the_ear_hears_is_said_once_until_it_is_lost(news: News, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        signals.hearing.send("ear", sent=1.0, offset=2.0)
    signals.deaf.send("ear", reason="the connection was closed")
    signals.deaf.send("ear", reason="connection refused")
    signals.hearing.send("ear", sent=1.0, offset=2.0)
    assert said(caplog) == [
        ("INFO", "hearing", {}),
        ("WARNING", "deaf", {"reason": "the connection was closed"}),
        ("WARNING", "deaf", {"reason": "connection refused"}),
        ("INFO", "hearing", {}),
    ]


def test_a_sign_in_and_a_sign_out_are_said_by_their_ids(news: News, caplog: pytest.LogCaptureFixture) -> None:
    signals.signed_in.send("signin", user=7, session=11)
    signals.signed_out.send("signin", sessions=[11, 12])
    assert said(caplog) == [
        ("INFO", "signed in", {"user": 7, "session": 11}),
        ("INFO", "signed out", {"sessions": [11, 12]}),
    ]


def test_a_denial_says_who_where_and_why_but_not_which_path(news: News, caplog: pytest.LogCaptureFixture) -> None:
    asked = request({b"cookie": b"canary"}, path="/share/canary")
    denial = Deny("app", 2, "G133", "a rule of this app refuses this request", person("alice"))
    signals.decided["deny"].send("traefik", request=asked, decision=denial, reply=REPLY)
    assert said(caplog) == [
        (
            "INFO",
            "denied",
            {
                "app": "app",
                "host": "app.example.com",
                "rule": 2,
                "code": "G133",
                "reason": "a rule of this app refuses this request",
                "user": "alice",
                "client": "203.0.113.9",
                "door": "traefik",
                "request_id": "0123abcd",
            },
        )
    ]


def test_a_denial_of_nobody_from_nowhere_is_said_too(news: News, caplog: pytest.LogCaptureFixture) -> None:
    denial = Deny("", 0, "G137", "no app here owns this host")
    signals.decided["deny"].send("nginx", request=request(client=""), decision=denial, reply=Reply(403, []))
    fields = said(caplog)[0][2]
    assert (fields["user"], fields["client"], fields["request_id"]) == ("", "", "")


def test_what_could_not_be_read_is_said_with_its_code(news: News, caplog: pytest.LogCaptureFixture) -> None:
    refusal = Malformed("G101", "this peer is not a trusted proxy", 403)
    signals.decided["malformed"].send("traefik", request=None, decision=refusal, reply=REPLY)
    fields = {"code": "G101", "reason": "this peer is not a trusted proxy", "door": "traefik", "request_id": "0123abcd"}
    assert said(caplog) == [("WARNING", "refused to read a question", fields)]


def test_after_it_is_disconnected_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    news = News()
    news.connect()
    news.disconnect()
    signals.hearing.send("ear", sent=1.0, offset=2.0)
    signals.deaf.send("ear", reason="gone")
    refusal = Malformed("G101", "no")
    signals.decided["malformed"].send("traefik", request=None, decision=refusal, reply=REPLY)
    assert said(caplog) == []


def test_that_nobody_could_be_asked_is_said_with_the_id_that_the_caller_got(
    news: News, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = Malformed("G303", "the database does not answer", 503)
    signals.decided["unavailable"].send("traefik", request=None, decision=refusal, reply=REPLY)
    fields = {"code": "G303", "reason": "the database does not answer", "door": "traefik", "request_id": "0123abcd"}
    assert said(caplog) == [("WARNING", "could not answer", fields)]
