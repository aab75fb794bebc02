"""What the files of nginx and HAProxy do beyond the journeys: cookies, keys, upgrades, refusals, a gateway that is away.

Both rewrite requests in a language of their own, regular expressions and Lua, so what they make of odd ones is tested.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asking import Answer, Line, ask, request
from databases import Cluster
from processes import free_port
from proxies import caddy, envoy, haproxy, nginx
from proxies.stand import SECRET, Stand, Wiring, seen
from proxies.stand import stand as standing

BOTH = (nginx, haproxy)
STRIPPING = (caddy, nginx, haproxy, envoy)
PERSON = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


def either(*members: ModuleType) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stand", members, indirect=True, ids=[member.NAME for member in members])


COOKIES = (
    # what is sent (SESSION: the session's token), and what is left of it; each byte of that as it was sent
    ("gateway_session=SESSION", None),
    ("a=1;gateway_session=SESSION;b=2", "a=1;b=2"),
    ("a=1;  gateway_session=SESSION;  b=2", "a=1;  b=2"),
    ("gateway_session=SESSION;b=2;", "b=2;"),
    ("gateway_session =SESSION ; b=2", "b=2"),
    ('a=1; gateway_session="SESSION"', "a=1"),
    (";;gateway_session=SESSION;;a=1", ";;;a=1"),
    ("gateway_session=SESSION; gateway_session=SESSION; x=1", "x=1"),
    ("gateway_session=SESSION; gateway_session; a=1", "a=1"),
    ("a=1; gateway_session=SESSION; __Secure-gateway_session=x; __Host-gateway_session=y; b=2", "a=1; b=2"),
    ("gateway_session=SESSION; gateway_portal=x; __Host-gateway_portal=y; b=2", "b=2"),
    ("xgateway_session=1; gateway_session=SESSION; gateway_session_x=2", "xgateway_session=1; gateway_session_x=2"),
    ("Gateway_Session=1; gateway_session=SESSION; a=gateway_session", "Gateway_Session=1; a=gateway_session"),
    ('a="x, y"; gateway_session=SESSION; b=$1\\2%3B', 'a="x, y"; b=$1\\2%3B'),
    (f"big={'x' * 6000}; gateway_session=SESSION; b=2", f"big={'x' * 6000}; b=2"),
)


@either(*STRIPPING)
@pytest.mark.parametrize(("sent", "left"), COOKIES, ids=range(len(COOKIES)))
def test_our_cookies_are_taken_away_by_every_name_and_the_others_stay(
    stand: Stand, sent: str, left: str | None
) -> None:
    (value,) = stand.cookie("bob").values()
    told = seen(stand.send("/", headers={"Cookie": sent.replace("SESSION", value)}))
    assert told.all("remote-user") == ["bob"]
    assert told.all("cookie") == ([] if left is None else [left])


@either(*STRIPPING)
def test_our_cookies_are_taken_away_on_a_path_that_is_open_to_all(stand: Stand) -> None:
    told = seen(stand.send("/public/", headers={"Cookie": "a=1; __Secure-gateway_session=x"}))
    assert told.all("cookie") == ["a=1"]


@either(*STRIPPING)
def test_more_of_our_cookies_than_anybody_has_never_reach_the_app(stand: Stand) -> None:
    (value,) = stand.cookie("bob").values()
    many = "; ".join([f"gateway_session={value}"] * 9)
    assert value not in str(seen(stand.send("/", headers={"Cookie": f"a=1; {many}"})).headers)


@either(*BOTH)
def test_cookies_in_several_headers_are_one_list(stand: Stand) -> None:
    (value,) = stand.cookie("bob").values()
    told = raw(stand, "Cookie: a=1", f"Cookie: gateway_session={value}", "Cookie: b=2")
    assert "; ".join(value for name, value in json.loads(told.body)["headers"] if name == "cookie") == "a=1; b=2"


@either(*STRIPPING)
def test_our_keys_are_not_shown_to_apps(stand: Stand) -> None:
    _, key = stand.served.key("bob")
    told = seen(stand.send("/", headers={"X-Api-Key": key, "Proxy-Authorization": "Basic x"}))
    assert told.all("x-api-key") == told.all("proxy-authorization") == []


def raw(
    stand: Stand, *headers: str, host: str = "demo", path: str = "/", method: str = "GET", body: str = ""
) -> Answer:
    """The first answer to these bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {stand.host(host)}", "Accept: application/json", *headers, "", body]
    return ask(stand.address, "\r\n".join(lines).encode())


@either(*STRIPPING)
@pytest.mark.parametrize(
    "upgrade",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        ("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Upgrade: h2c, websocket"),
        ("Connection: Upgrade", "Upgrade: TLS/1.2"),
    ],
)
def test_nothing_but_a_websocket_is_passed_on_as_an_upgrade(stand: Stand, upgrade: tuple[str, ...]) -> None:
    answer = raw(stand, *upgrade, path="/public/")
    assert answer.status in (200, 400, 403)
    for protocol in ("h2c", "TLS"):
        assert f'["upgrade", "{protocol}' not in answer.body.decode()


@either(*STRIPPING)
def test_what_a_visitor_nominates_is_not_said_to_the_next_proxy(stand: Stand) -> None:
    """It would take the names that stand in Connection away (CVE-2024-45410)."""
    told = seen(stand.send("/", cookies=stand.cookie("bob"), headers={"Connection": "keep-alive, Remote-User"}))
    assert "remote-user" not in " ".join(told.all("connection")).lower()


@either(*STRIPPING)
def test_a_person_who_posts_is_sent_to_sign_in_by_303(stand: Stand) -> None:
    answer = stand.send("/form", method="POST", content=b"a=b", headers=PERSON)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{stand.portal}/login?rd=gwr_")


@either(*STRIPPING)
@pytest.mark.parametrize(("headers", "status"), [({}, 401), (PERSON, 302)])
def test_a_head_is_answered_like_a_get_without_its_body(stand: Stand, headers: dict[str, str], status: int) -> None:
    answer = stand.send("/", method="HEAD", headers=headers)
    assert (answer.status_code, answer.content) == (status, b"")


@either(*STRIPPING)
@pytest.mark.parametrize("headers", [{}, PERSON])
def test_a_denial_carries_the_number_under_which_it_is_logged(stand: Stand, headers: dict[str, str]) -> None:
    answer = stand.send("/", host="vault", cookies=stand.cookie("bob"), headers=headers)
    assert answer.status_code == 403
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] in answer.text


@either(haproxy)
def test_haproxy_carries_the_page_of_a_denial(stand: Stand) -> None:
    answer = stand.send("/", host="vault", cookies=stand.cookie("bob"), headers=PERSON)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@either(nginx, haproxy, envoy)
def test_a_large_body_is_not_waited_for_where_nobody_is_let_in(stand: Stand) -> None:
    """A gigabyte is announced, and the answer is there before the first byte of it."""
    with Line(stand.address) as line:
        line.send(request("POST", "/upload", {"Host": stand.host("demo"), "Content-Length": str(1 << 30)}))
        answer = line.answer()
    assert answer is not None
    assert answer.status == 401


@either(*STRIPPING)
def test_a_large_body_arrives(stand: Stand) -> None:
    """Larger than nginx takes by default, and than either keeps in memory."""
    body = b"x" * 5_000_000
    assert seen(stand.send("/", method="PUT", content=body, cookies=stand.cookie("bob"))).body_length == len(body)


@either(nginx)
def test_nginx_keeps_its_connections_to_the_gateway(stand: Stand) -> None:
    cookies = stand.cookie("bob")
    assert stand.send("/", cookies=cookies).status_code == 200
    first = stand.served.call(connections(stand))
    for _ in range(20):
        assert stand.send("/", cookies=cookies).status_code == 200
    last = stand.served.call(connections(stand))
    assert first
    assert first <= last
    assert len(last - first) <= (os.cpu_count() or 1)  # one a worker, who had not been asked before


async def connections(stand: Stand) -> set[Any]:
    return set(stand.served._server.server_state.connections)


@either(haproxy)
def test_more_headers_than_haproxys_client_can_send_are_refused(stand: Stand) -> None:
    """It writes past the end of its table from a hundred on."""
    (value,) = stand.cookie("bob").values()
    cookies = [f"Cookie: gateway_session={value}", *(f"Cookie: a{number}=1" for number in range(80))]
    assert raw(stand, *cookies).status == 431
    assert raw(stand, *cookies[:40]).status == 200


@pytest.mark.parametrize("proxy", BOTH, ids=[member.NAME for member in BOTH])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nobody_is_let_in_where_the_gateway_does_not_listen(tmp_path: Path, proxy: Any, method: str) -> None:
    if why := proxy.missing():
        pytest.skip(why)
    nobody = f"127.0.0.1:{free_port()}"
    wiring = Wiring(free_port(), nobody, nobody, SECRET, tmp_path)
    headers = {"Host": f"demo.gateway.localhost:{wiring.port}"}
    with proxy.start(wiring):
        answer = ask(("127.0.0.1", wiring.port), request(method, "/public/", headers))
    assert (answer.status, answer["retry-after"]) == (503, "1")


@contextmanager
def faulty(wiring: Wiring) -> Iterator[None]:
    """HAProxy with a fault in the Lua that runs once the gateway has said yes."""
    directory = wiring.directory / "faulty"
    directory.mkdir()
    with haproxy.start(wiring._replace(directory=directory), fault="local function rewrite(txn, sent, told)"):
        yield


def test_a_fault_in_lua_lets_nobody_in(cluster: Cluster) -> None:
    """HAProxy logs it and goes on to the next line, which lets in only whom the action has said yes to."""
    if why := haproxy.missing():
        pytest.skip(why)
    with standing(SimpleNamespace(NAME="haproxy", STRIPS=True, start=faulty), cluster) as stand:
        assert stand.send("/public/").status_code == 503
        assert stand.send("/", cookies=stand.cookie("bob")).status_code == 503
        assert stand.send("/").status_code == 401
