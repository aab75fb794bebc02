"""Whatever breaks inside a check ends in "no" (C320): a fault is put into each place that a question passes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import serving
from asking import Answer, Line, question, request
from databases import Cluster
from gateway import check, policy, tokens
from gateway.cache import Cache
from gateway.dialects import traefik
from gateway.endpoints import forwardauth
from gateway.services import recall
from serving import Served

SECRET = "hunter2"
PLACES: dict[str, tuple[Any, str]] = {
    "reading the question": (traefik, "read"),
    "the check": (forwardauth, "weigh"),
    "the credentials": (check, "prove"),
    "the token": (tokens, "digest"),
    "memory": (Cache, "get"),
    "trust in memory": (Cache, "trust"),
    "the rule engine": (policy, "decide"),
    "a rule": (policy, "covered"),
    "conditions": (policy, "_held"),
    "the policy's table": (policy.Policy, "app"),
    "writing the answer": (traefik, "write"),
}
AGAIN = {name: PLACES[name] for name in ("memory", "trust in memory")}
"""Those that are passed when a head was read before; what else fails there is read and judged as if it were new."""
FAULTS = [RuntimeError(SECRET), KeyError(SECRET), RecursionError(SECRET), TimeoutError(SECRET), MemoryError(SECRET)]


def assert_a_plain_no(answer: Answer) -> None:
    assert answer.status == 503
    assert not any(name.startswith("remote-") for name, _ in answer.headers)
    assert not answer.all("set-cookie")
    assert answer["cache-control"] == "no-store"
    assert answer["retry-after"] == "1"
    assert json.loads(answer.body)["request_id"] == answer["x-request-id"]
    assert SECRET.encode() not in answer.raw
    assert b"Traceback" not in answer.raw


def breaks(fault: BaseException) -> Callable[..., Any]:
    """What stands in a place that is broken."""

    def broken(*_: object, **__: object) -> object:
        raise fault

    return broken


@pytest.fixture(scope="module")
def known(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A gateway, and the cookie of alice, who is warm."""
    with cluster.database() as url, serving.serve(url, tmp_path_factory.mktemp("faults")) as served:
        served.user("alice")
        _, cookie = served.session("alice")
        assert served.check(cookie=cookie).status == 200
        yield served, cookie


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("place", PLACES)
def test_a_fault_anywhere_is_a_no(
    known: tuple[Served, str], monkeypatch: pytest.MonkeyPatch, place: str, fault: Exception
) -> None:
    served, cookie = known
    unheard = [("X-Unheard-Of", f"{place} {type(fault).__name__}")]
    with monkeypatch.context() as patch:
        patch.setattr(*PLACES[place], breaks(fault))
        assert_a_plain_no(served.check(cookie=cookie, uri="/x", more=unheard))
    assert served.check(cookie=cookie, more=unheard)["remote-user"] == "alice"


@pytest.mark.parametrize("place", AGAIN)
def test_a_fault_is_a_no_for_a_head_that_was_read_before(
    known: tuple[Served, str], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    served, cookie = known
    assert served.check(cookie=cookie, uri="/known")["remote-user"] == "alice"
    with monkeypatch.context() as patch:
        patch.setattr(*AGAIN[place], breaks(RuntimeError(SECRET)))
        assert_a_plain_no(served.check(cookie=cookie, uri="/x"))


def test_a_fault_while_memory_is_filled_is_a_no(known: tuple[Served, str], monkeypatch: pytest.MonkeyPatch) -> None:
    served, _ = known
    _, cookie = served.session("alice")
    with monkeypatch.context() as patch:
        patch.setattr(recall.Recall, "_entry", breaks(RuntimeError(SECRET)))
        assert_a_plain_no(served.check(cookie=cookie))
    assert served.check(cookie=cookie).status == 200


def test_a_fault_is_in_the_log_under_the_id_that_the_caller_was_told(
    known: tuple[Served, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(policy, "decide", breaks(RuntimeError("a condition broke")))
    with caplog.at_level(logging.ERROR, "gateway.door"):
        answer = known[0].check()
    record = next(record for record in caplog.records if record.name == "gateway.door")
    assert record.exc_info is not None
    assert "a condition broke" in str(record.exc_info[1])
    assert vars(record)["request_id"] == answer["x-request-id"]


def test_a_fault_is_counted(known: tuple[Served, str], monkeypatch: pytest.MonkeyPatch) -> None:
    served, _ = known
    counted = served.gateway.cache.counters.get(("unavailable", "traefik"), 0)
    monkeypatch.setattr(policy, "decide", breaks(RuntimeError(SECRET)))
    served.check()
    assert served.gateway.cache.counters["unavailable", "traefik"] == counted + 1


def test_a_client_that_leaves_is_no_error(known: tuple[Served, str], caplog: pytest.LogCaptureFixture) -> None:
    """C264: no traceback, and the next one is answered."""
    served, _ = known
    for _ in range(20):
        with Line(served.address) as line:
            line.send(request("GET", "/auth/traefik", question()))
    assert served.check().status == 302
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
