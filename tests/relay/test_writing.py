"""An app's answer, written anew: one head, one framing."""

from __future__ import annotations

import pytest

from gateway import handshakes
from gateway.messages.request import Errand
from gateway.relay import writing
from gateway.relay.answers import Answer

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
LINES = b"\r\nX-A: 1\r\nx-b: 2"


def answer(status: int = 200, reason: bytes = b"OK", lines: bytes = LINES, length: int | None = None) -> Answer:
    return Answer(status, reason, lines, {}, length, True)


@pytest.mark.parametrize("lines", [LINES, b""])
def test_a_head_has_its_lines_and_then_what_is_about_its_body(lines: bytes) -> None:
    about = b"Content-Length: 5\r\n"
    written = writing.head(answer(404, b"Not Found", lines), about)
    assert written == b"HTTP/1.1 404 Not Found" + lines + b"\r\nContent-Length: 5\r\n\r\n"
    assert writing.head(answer(103, b"Early Hints", lines), b"") == b"HTTP/1.1 103 Early Hints" + lines + b"\r\n\r\n"


@pytest.mark.parametrize("lines", [LINES, b""])
@pytest.mark.parametrize(("closes", "end"), [(False, b""), (True, b"Connection: close\r\n")])
def test_an_answer_that_has_come_whole_is_written_in_one_piece(lines: bytes, closes: bool, end: bytes) -> None:
    written = writing.whole(answer(lines=lines, length=5), b"hello", closes=closes)
    assert written == b"HTTP/1.1 200 OK" + lines + b"\r\nContent-Length: 5\r\n" + end + b"\r\nhello"


@pytest.mark.parametrize(
    ("status", "length", "chunked", "framing"),
    [
        (200, 5, False, b"Content-Length: 5\r\n"),
        (200, 0, False, b"Content-Length: 0\r\n"),
        (200, None, True, b"Transfer-Encoding: chunked\r\n"),
        (200, None, False, b""),
        (204, 5, False, b""),
        (304, 5, False, b"Content-Length: 5\r\n"),
        (304, None, False, b""),
    ],
)
def test_a_body_has_one_framing(status: int, length: int | None, chunked: bool, framing: bytes) -> None:
    assert writing.framing(answer(status, length=length), chunked=chunked) == framing


def test_behind_a_body_stand_the_trailers_that_may_stand_there() -> None:
    assert writing.last_chunk([]) == b"0\r\n\r\n"
    said = [(b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"Set-Cookie", b"a=b"), (b"x-sum", b"2")]
    assert writing.last_chunk(said) == b"0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"
    assert writing.last_chunk(said[1:3]) == b"0\r\n\r\n"


def switch(repeats: bool = False, **fields: bytes) -> Answer:
    said = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return Answer(101, b"Switching Protocols", LINES, said, None, True, repeats)


ACCEPT = handshakes.accept(KEY)
WEBSOCKET = Errand("http://app", key=KEY)
CHAT = Errand("http://app", upgrade=b"x-chat")
SWITCHES: list[tuple[bool, Errand, Answer]] = [
    (True, WEBSOCKET, switch(connection=b"Upgrade", upgrade=b"websocket", sec_websocket_accept=ACCEPT)),
    (True, WEBSOCKET, switch(connection=b"keep-alive, upgrade", upgrade=b"WebSocket", sec_websocket_accept=ACCEPT)),
    (False, WEBSOCKET, switch(connection=b"Upgrade", upgrade=b"websocket", sec_websocket_accept=ACCEPT.lower())),
    (False, WEBSOCKET, switch(connection=b"Upgrade", upgrade=b"websocket")),
    (False, WEBSOCKET, switch(connection=b"Upgrade", upgrade=b"x-chat", sec_websocket_accept=ACCEPT)),
    (False, WEBSOCKET, switch(connection=b"upgraded", upgrade=b"websocket", sec_websocket_accept=ACCEPT)),
    (False, WEBSOCKET, switch(upgrade=b"websocket", sec_websocket_accept=ACCEPT)),
    (False, WEBSOCKET, switch(True, connection=b"Upgrade", upgrade=b"websocket", sec_websocket_accept=ACCEPT)),
    (True, CHAT, switch(connection=b"Upgrade", upgrade=b"X-Chat")),
    (False, CHAT, switch(connection=b"Upgrade", upgrade=b"x-other")),
    (False, CHAT, switch(connection=b"Upgrade", upgrade=b"websocket", sec_websocket_accept=ACCEPT)),
    (False, CHAT, switch(connection=b"Upgrade")),
    (False, Errand("http://app"), switch(connection=b"Upgrade", upgrade=b"x-chat")),
    (False, Errand("http://app"), switch(connection=b"Upgrade", upgrade=b"")),
    (False, Errand("http://app"), switch(connection=b"Upgrade")),
]


@pytest.mark.parametrize(("switches", "errand", "said"), SWITCHES)
def test_an_app_switches_only_to_what_was_asked_for(switches: bool, errand: Errand, said: Answer) -> None:
    assert writing.is_switch(errand, said) is switches


def test_a_switch_says_to_what() -> None:
    written = writing.switching(switch(connection=b"keep-alive, upgrade", upgrade=b"X-Chat"))
    assert (
        written == b"HTTP/1.1 101 Switching Protocols" + LINES + b"\r\nConnection: Upgrade\r\nUpgrade: X-Chat\r\n\r\n"
    )
