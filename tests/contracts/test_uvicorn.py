"""What ``endpoints.front`` (``express``, a little) relies on in uvicorn and httptools beyond what they document.

It is a subclass of a class that uvicorn does not call public. Where one of these fails behind an upgrade, read
``uvicorn/protocols/http/httptools_impl.py`` beside ``gateway/endpoints/front.py`` again, whole, and then the new version
here.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import httptools
import pytest
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.endpoints.express import ExpressProtocol
from gateway.endpoints.front import FrontProtocol

READ = {"uvicorn": "0.54", "httptools": "0.9"}
"""The versions whose source was read."""

ATTRIBUTES = {
    "parser": "is fed here, and asked for what only it knows",
    "url": "the target as the parser saw it",
    "headers": "those of the scope; after the head another list, where trailers go",
    "cycle": "the message under way and its answer",
    "pipeline": "stays empty: a message is begun when the one before is answered",
    "flow": "stops reading while an answer is awaited",
    "transport": "says a refusal",
    "server_state": "the headers of every answer; open connections and tasks",
    "timeout_keep_alive": "how long a silent connection is kept",
    "timeout_keep_alive_task": "uvicorn's own clock behind an answer",
}
CYCLE = (
    *("keep_alive", "disconnected", "message_event", "waiting_for_100_continue"),
    *("more_body", "response_started", "response_complete"),
)
METHODS = (
    *("connection_made", "connection_lost", "data_received", "shutdown", "_unset_keepalive_if_required"),
    *("on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body", "on_message_complete"),
    *("on_response_complete", "pause_writing", "resume_writing"),
)
CALLS: dict[Callable[..., Any], str] = {
    HttpToolsProtocol.on_headers_complete: r"self\._start_asgi_task\(self\.cycle, app\)",
    HttpToolsProtocol._start_asgi_task: r"self\.loop\.create_task\(",
    HttpToolsProtocol.on_message_begin: r'"headers": self\.headers,',
    HttpToolsProtocol.on_response_complete: r"self\.flow\.resume_reading\(\)[\s\S]*self\.timeout_keep_alive_handler",
    RequestResponseCycle.send: r"if not self\.keep_alive:\s+self\.transport\.close\(\)\s+self\.on_response\(\)",
    RequestResponseCycle.receive: r"self\.disconnected or self\.response_complete:\s+return {.type.: .http\.disconnect.}",
}
"""Lines on which the door leans: an answer ends the connection if ``keep_alive`` was taken away, then tells the door."""


async def protocol(kind: type[HttpToolsProtocol] = HttpToolsProtocol) -> HttpToolsProtocol:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    return kind(Config(app, lifespan="off", log_config=None, http=ExpressProtocol), ServerState(), {})


@pytest.mark.parametrize("name", READ)
def test_this_version_was_read(name: str) -> None:
    assert version(name).startswith(f"{READ[name]}."), f"{name} {version(name)} was not read; see above"


def test_the_lock_pins_that_version(pytestconfig: pytest.Config) -> None:
    lock = (pytestconfig.rootpath / "requirements.lock").read_text()
    for name, read in READ.items():
        assert re.search(rf"^{name}=={re.escape(read)}\.\d+ ", lock, re.MULTILINE)


def test_uvicorn_makes_a_protocol_with_what_it_is_given_here() -> None:
    parameters = ["self", "config", "server_state", "app_state", "_loop"]
    for kind in (HttpToolsProtocol, FrontProtocol, ExpressProtocol):
        assert list(inspect.signature(kind.__init__).parameters) == parameters


@pytest.mark.anyio
@pytest.mark.parametrize("name", ATTRIBUTES)
async def test_a_protocol_has_what_the_door_uses(name: str) -> None:
    made = await protocol()
    made.on_message_begin()
    assert hasattr(made, name), ATTRIBUTES[name]


@pytest.mark.parametrize("name", METHODS)
def test_a_protocol_is_called_as_the_door_expects(name: str) -> None:
    assert callable(getattr(HttpToolsProtocol, name))
    if name in vars(FrontProtocol):
        theirs, ours = getattr(HttpToolsProtocol, name), getattr(FrontProtocol, name)
        assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters)


def test_the_door_overrides_nothing_that_is_not_there() -> None:
    """A hook that was renamed would not be called any more, and nothing would say so."""
    own = {name for name in vars(FrontProtocol) if not name.startswith("_")} - {
        "expired",
        "divert",
        "give_back",
        "resume",
    }
    assert own <= set(METHODS)


def test_a_private_name_of_the_door_is_not_one_of_uvicorns() -> None:
    inherited = {name for kind in HttpToolsProtocol.__mro__ for name in vars(kind) if not name.startswith("__")}
    private = {name for name in vars(FrontProtocol) if name.startswith("_") and not name.startswith("__")}
    assert not private & (inherited | set(re.findall(r"self\.(_\w+)", inspect.getsource(HttpToolsProtocol)))), (
        "renamed?"
    )


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__qualname__)
def test_uvicorn_does_what_the_door_leans_on(function: Callable[..., Any]) -> None:
    assert re.search(CALLS[function], inspect.getsource(function))


def test_a_cycle_has_what_the_door_uses() -> None:
    source = inspect.getsource(RequestResponseCycle.__init__)
    assert [name for name in CYCLE if f"self.{name} = " not in source] == []
    assert {"pause_reading", "resume_reading"} <= set(vars(FlowControl))
    assert STATUS_LINE[431] == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


class Noting:
    """Callbacks that note their order, and what the parser says about the message at that moment."""

    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.parser: Any = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.noted.append("begin")

    def on_url(self, url: bytes) -> None:
        self.noted.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.noted.append((name, value))

    def on_headers_complete(self) -> None:
        self.noted.append(("head", self.parser.should_keep_alive(), self.parser.should_upgrade()))

    def on_body(self, body: bytes) -> None:
        self.noted.append(("body", body))

    def on_message_complete(self) -> None:
        self.noted.append("end")


LINE, HOST = b"POST / HTTP/1.1\r\n", (b"A", b"b")


@pytest.mark.parametrize(
    ("pieces", "noted"),
    [
        ([LINE + b"A: b\r\n\r", b"\n"], ["begin", b"/", HOST, ("head", True, False), "end"]),
        (
            [LINE + b"Connection: close\r\n\r\n"],
            ["begin", b"/", (b"Connection", b"close"), ("head", False, False), "end"],
        ),
        (
            [LINE + b"Content-Length: 2\r\n\r\n", b"a", b"b"],
            ["begin", b"/", (b"Content-Length", b"2"), ("head", True, False), ("body", b"a"), ("body", b"b"), "end"],
        ),
        (
            [LINE + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\n", b"A: b\r\n\r", b"\n"],
            ["begin", b"/", (b"Transfer-Encoding", b"chunked"), ("head", True, False), ("body", b"a"), HOST, "end"],
        ),
    ],
    ids=["no body", "a close", "a length", "chunks"],
)
def test_the_parser_reports_the_end_of_a_message_at_its_last_byte(pieces: list[bytes], noted: list[Any]) -> None:
    """And whether it keeps alive, while the head is complete: behind a message without a body it has forgotten."""
    noting = Noting()
    for piece in pieces:
        assert "end" not in noting.noted
        noting.parser.feed_data(piece)
    assert noting.noted == noted
    assert noting.parser.get_method() == b"POST"
    assert noting.parser.get_http_version() == "1.1"


def test_the_parser_ends_an_upgrade_at_its_head() -> None:
    noting = Noting()
    with pytest.raises(httptools.HttpParserUpgrade):
        noting.parser.feed_data(LINE + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n")
    assert noting.noted[-2:] == [("head", True, True), "end"]


def test_an_error_of_a_callback_comes_out_with_its_cause() -> None:
    class Refusing(Noting):
        def on_message_begin(self) -> None:
            raise ValueError("no")

    with pytest.raises(httptools.HttpParserCallbackError) as caught:
        Refusing().parser.feed_data(LINE)
    assert isinstance(caught.value.__context__, ValueError)


@pytest.mark.anyio
async def test_the_doors_of_one_server_share_their_deadlines() -> None:
    config, state, shared = Config("x:y", interface="asgi3"), ServerState(), dict[str, Any]()
    config.loaded, config.loaded_app, config.ws_protocol_class = True, None, None
    one, two = (FrontProtocol(config, state, shared, asyncio.get_running_loop()) for _ in range(2))
    assert one._deadlines is two._deadlines
