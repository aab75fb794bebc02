"""Every conformance case that is one question and one answer, over a real socket to a real server.

Whatever a row says, the runner also holds: the answer is complete and may not be stored, a no carries a request id and
nothing of anybody, an allow is 200 with every identity header once; and not one statement went to the database, because
what is living was warm and what is not is refused by arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from asking import Answer, Line, ask
from conformance.gateways import Gateway, Gateways, gateways
from conformance.vectors import Case, Row, bytes_of, cases
from databases import Cluster

IDENTITY = ("remote-user", "remote-groups", "remote-name", "remote-email")
PEOPLE = {
    "alice": ("alice", "users", "Alice", ""),
    "bob": ("bob", "admins,users", "", ""),
    "nobody": ("", "", "", ""),
}
"""What the identity headers say; an address that nobody verified is not said."""
DOORS = ("traefik", "caddy", "haproxy")
"""Those that are asked in X-Forwarded-* and can carry a redirect: they answer alike."""
ALL = [case for file in ("forwardauth.yaml", "credentials.yaml") for case in cases(file, DOORS)]


@pytest.fixture(scope="module")
def asked(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    with gateways(cluster, tmp_path_factory.mktemp("conformance")) as made:
        yield made


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_a_question_has_the_answer_that_its_row_says(asked: Gateways, case: Case) -> None:
    gateway = asked[case.at]
    sent = bytes_of(case.send, gateway.words)
    before = gateway.served.queries()
    answer = ask(gateway.served.address, sent)
    assert gateway.served.queries() == before, "it asked the database"
    assert_sound(answer, head=sent.startswith(b"HEAD "))
    assert_expected(gateway, answer, case)


def assert_sound(answer: Answer, *, head: bool = False) -> None:
    """What holds for every answer of a door."""
    assert answer["cache-control"] == "no-store"
    assert not answer.all("server")
    assert not answer.all("set-cookie")
    assert not answer.all("access-control-allow-origin")
    assert head or int(answer["content-length"]) == len(answer.body)
    assert len(answer.raw) - len(answer.body) < 4096
    if answer.status == 200:
        assert answer["content-length"] == "0"
        assert not answer.all("location")
        assert [len(answer.all(name)) for name in IDENTITY] == [1, 1, 1, 1]
    else:
        assert len(answer["x-request-id"]) == 16
        assert not any(name.startswith("remote-") for name, _ in answer.headers)
        assert b"gws_" not in answer.raw
        assert b"gwk_" not in answer.raw
        assert b"Traceback" not in answer.body


def assert_expected(gateway: Gateway, answer: Answer, case: Case) -> None:
    match case.expect:
        case {"allow": who}:
            assert answer.status == 200
            assert tuple(answer[name] for name in IDENTITY) == PEOPLE[who]
        case {"login": url, **more}:
            assert answer.status == more.get("status", 302)
            assert not answer.body
            assert gateway.return_url(answer["location"]) == url
        case {"as_get": True}:
            assert_same_head(
                answer, ask(gateway.served.address, bytes_of(case.send | {"method": "GET"}, gateway.words))
            )
        case {"status": status, **more}:
            assert answer.status == status
            assert_refused(answer, more)
        case unknown:
            raise AssertionError(f"a row wants {unknown}")


def assert_refused(answer: Answer, more: Row) -> None:
    """A no in words: a page for people, a problem document for programs."""
    assert not answer.all("location")
    assert ("www-authenticate" in dict(answer.headers)) == (answer.status == 401)
    if more.get("page"):
        assert answer["content-type"].startswith("text/html")
        assert answer["x-request-id"].encode() in answer.body
        assert b"<script" not in answer.body
        return
    assert answer["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert problem["request_id"] == answer["x-request-id"]
    assert problem["code"] == more.get("code", problem["code"])


def assert_same_head(answer: Answer, got: Answer) -> None:
    """HEAD is answered as GET would be, but for what is new every time."""
    fresh = ("date", "x-request-id", "location")
    assert answer.status == got.status
    assert not answer.body
    assert [pair for pair in answer.headers if pair[0] not in fresh] == [
        pair for pair in got.headers if pair[0] not in fresh
    ]


@pytest.mark.parametrize("case", [case for case in ALL if case.expect.get("closed")], ids=lambda case: case.name)
def test_what_cannot_be_parsed_ends_the_connection(asked: Gateways, case: Case) -> None:
    gateway = asked[case.at]
    with Line(gateway.served.address) as line:
        line.send(bytes_of(case.send, gateway.words))
        answer = line.answer()
        assert answer is not None
        assert answer["connection"] == "close"
        assert line.ended()
