"""Server-sent events of an app made with sse-starlette: each arrives when it happens, while the connection is open."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.gateways import Gateway, gateway, visit
from apps.published import ticker
from databases import Cluster

LISTEN = """
() => {
    new EventSource("/events").onmessage = (event) => {
        const item = document.createElement("li");
        item.textContent = event.lastEventId + " " + event.data;
        document.querySelector("ul").append(item);
    };
}
"""


@pytest.fixture(scope="module")
def events(cluster: Cluster, directory: Path) -> Iterator[Gateway]:
    with ticker(directory) as port, cluster.database() as url, gateway(url, directory, {"events": port}) as started:
        yield started


class Listener:
    """One who listens."""

    def __init__(self, events: Gateway, answer: http.client.HTTPResponse) -> None:
        self._events, self.answer = events, answer

    def hear(self) -> list[bytes]:
        """The lines of the next event, up to the empty one behind it."""
        return [line.strip() for line in iter(self.answer.readline, b"\r\n")]


def headers(events: Gateway, cookie: str) -> dict[str, str]:
    return {"Host": f"events.gateway.localhost:{events.port}", "Cookie": cookie}


@contextmanager
def listening(events: Gateway, cookie: str, **more: str) -> Iterator[Listener]:
    line = events.line()
    line.request("GET", "/events", headers=headers(events, cookie) | {"Accept": "text/event-stream"} | more)
    answer = line.getresponse()
    assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream; charset=utf-8")
    listener = Listener(events, answer)
    assert listener.hear() == [b": listening"]
    yield listener
    answer.close()
    line.close()


def ask(events: Gateway, cookie: str, method: str, path: str, body: str | None = None) -> str:
    """The text of an answer that has to be good."""
    line = events.line()
    line.request(method, path, body, headers(events, cookie))
    answer = line.getresponse()
    assert answer.status == 200
    said = answer.read().decode()
    line.close()
    return said


def test_each_event_arrives_before_the_next_one_happens(events: Gateway) -> None:
    cookie = events.cookie()
    with listening(events, cookie) as one, listening(events, cookie) as other:
        for number, said in enumerate(["one", "two", "three" * 10_000], 1):
            assert ask(events, cookie, "POST", "/say", said) == "2"
            for listener in (one, other):
                assert listener.hear() == [b"id: %d" % number, b"data: " + said.encode()]


def test_a_listener_goes_on_where_it_was(events: Gateway) -> None:
    cookie = events.cookie()
    with listening(events, cookie, **{"Last-Event-ID": "41"}) as listener:
        ask(events, cookie, "POST", "/say", "the answer")
        assert listener.hear() == [b"id: 42", b"data: the answer"]


def test_an_app_knows_when_nobody_listens_any_more(events: Gateway) -> None:
    cookie = events.cookie()
    with listening(events, cookie):
        assert ask(events, cookie, "POST", "/say", "anybody?") == "1"
    assert ask(events, cookie, "GET", "/left") == "nobody listens"
    assert ask(events, cookie, "POST", "/say", "anybody?") == "0"


def test_a_browser_hears_events(events: Gateway, page: Page) -> None:
    visit(page, events, "events")
    with page.expect_response("**/events"):
        page.evaluate(LISTEN)
    cookie = events.cookie()
    for number in range(1, 4):
        assert ask(events, cookie, "POST", "/say", f"event {number}") == "1"
        expect(page.locator("li")).to_have_count(number)
    assert page.locator("li").all_text_contents() == [f"{number} event {number}" for number in range(1, 4)]


def test_a_stranger_does_not_listen(events: Gateway) -> None:
    line = events.line()
    line.request("GET", "/events", headers=headers(events, "a=b") | {"Accept": "text/event-stream"})
    assert line.getresponse().status == 401
    line.close()
