"""Answers that have no lines of their own: nothing of their head is left but what the gateway writes."""

from __future__ import annotations

import pytest

from asking import Line, request
from relay.behind import App
from serving import Served


@pytest.mark.parametrize(
    "more", [b"", b"Connection: close\r\n", b"Keep-Alive: timeout=5\r\n", b"Connection: x-own\r\nX-Own: 1\r\n"]
)
@pytest.mark.parametrize("body", [b"", b"hello"])
def test_a_head_of_nothing_but_its_framing_is_a_head(
    carrying: Served, app: App, cookie: str, more: bytes, body: bytes
) -> None:
    with Line(carrying.address) as line:
        line.send(request("GET", "/", [("Host", "photos.example.com"), ("Cookie", cookie)]))
        met = app.met()
        met.head()
        met.answer(body, b"HTTP/1.1 200 OK\r\n" + more)
        answer = line.answer()
    assert answer is not None
    assert (answer.status, answer.body, answer.headers) == (200, body, [("content-length", str(len(body)))])
