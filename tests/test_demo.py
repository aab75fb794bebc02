"""The demo app on a real server: it must show everything that arrived, and believe nothing that it prints."""

from __future__ import annotations

import re
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import httpx2
import pytest
import uvicorn
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gateway.demo import Seen, _page, app_for
from processes import free_port
from proxies.stand import running

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the demo app listens. The socket listens before the server starts, so the first request just waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = app_for("https://auth.example.com")
        server = uvicorn.Server(uvicorn.Config(app, proxy_headers=False, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://{address}", trust_env=False) as made:
        yield made


def test_every_header_is_told_as_json_duplicates_too(client: httpx2.Client) -> None:
    headers = [("Accept", "application/json"), ("X-Twice", "one"), ("X-Twice", "two"), ("Remote-User", "alice")]
    told = client.get("/some/path?query=1", headers=headers).json()
    assert [value for name, value in told["headers"] if name == "x-twice"] == ["one", "two"]
    assert ["remote-user", "alice"] in told["headers"]
    assert (told["method"], told["path"], told["body_length"]) == ("GET", "/some/path", 0)


def test_a_posted_body_is_counted(client: httpx2.Client) -> None:
    told = client.post("/", content=b"x" * 300_000, headers={"Accept": "application/json"}).json()
    assert (told["method"], told["body_length"]) == ("POST", 300_000)


def test_a_chunked_body_is_counted(client: httpx2.Client) -> None:
    told = client.post("/", content=iter([b"one", b"three"]), headers={"Accept": "application/json"}).json()
    assert told["body_length"] == 8


def test_the_page_greets_whom_the_gateway_named(client: httpx2.Client) -> None:
    page = client.get("/", headers={"Remote-User": "alice", "Remote-Groups": "family"}).text
    assert "<h1>Hello, alice</h1>" in page
    assert '<tr class="who"><th>remote-groups</th><td>family</td></tr>' in page


def test_the_page_says_so_when_nobody_is_known(client: httpx2.Client) -> None:
    page = client.get("/", headers={"Remote-User": "", "Remote-Groups": ""}).text
    assert "Hello, whoever you are" in page
    assert '<tr class="who"><th>remote-user</th><td><span class="soft">(empty)</span></td></tr>' in page
    assert "No identity headers" in client.get("/").text


@pytest.mark.parametrize("name", ["Remote-User", "Remote-Name", "User-Agent", "X-Anything", "Host"])
def test_a_hostile_header_is_escaped(client: httpx2.Client, name: str) -> None:
    page = client.get("/", headers={name: HOSTILE}).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in page


def test_a_hostile_path_is_escaped(client: httpx2.Client) -> None:
    page = client.get("/%3Cscript%3E/$style").text
    assert "<script" not in page
    assert "GET /&lt;script&gt;/$style" in page


def test_a_hostile_portal_address_is_escaped() -> None:
    assert '"><script' not in _page(Seen("GET", "/", [], 0), 'https://x/"><script>')


@pytest.mark.parametrize("name", ["Cookie", "Authorization", "X-Api-Key"])
def test_the_page_never_shows_a_secret(client: httpx2.Client, name: str) -> None:
    page = client.get("/", headers={name: "canary-secret"}).text
    assert "canary" not in page
    assert f"<th>{name.lower()}</th>" in page


def test_the_page_links_to_the_public_path_and_the_account(client: httpx2.Client) -> None:
    page = client.get("/").text
    assert 'href="/public/"' in page
    assert 'href="https://auth.example.com/"' in page


def test_the_policy_allows_the_pages_own_style_and_nothing_inline(client: httpx2.Client) -> None:
    answer = client.get("/")
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy
    assert " style=" not in answer.text


def test_head_has_the_length_and_no_body(client: httpx2.Client) -> None:
    answer = client.head("/")
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 1000


def test_websocket_messages_come_back(address: str) -> None:
    with connect(f"ws://{address}/ws", proxy=None) as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"
        websocket.send(b"\x00\x01")
        assert websocket.recv() == b"\x00\x01"


def test_a_websocket_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(InvalidStatus, match="403"), connect(f"ws://{address}/elsewhere", proxy=None):
        pass


def test_it_runs_by_itself_where_it_is_told_to() -> None:
    port = free_port()
    command = [sys.executable, "-m", "gateway.demo", f"127.0.0.1:{port}"]
    with running(command, port), httpx2.Client(trust_env=False) as client:
        told = client.get(f"http://127.0.0.1:{port}/", headers={"Accept": "application/json"}).json()
    assert told["path"] == "/"
