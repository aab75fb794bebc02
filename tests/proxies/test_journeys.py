"""The same journeys through each real proxy: sign in, be refused, be let in, and never get in by asking oddly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from asking import Line, ask, request
from gateway.endpoints.express import ExpressProtocol
from proxies.stand import PASSWORD, Stand, seen

BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SPELLINGS = ("Remote-User", "REMOTE-USER", "remote-user", "Remote_User", "Remote.User")
FORGED = ("remote-user", "remote-groups", "remote-name", "remote-email", "x-forwarded-user")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_a_stranger_at_an_address_bar_is_sent_to_sign_in(stand: Stand) -> None:
    answer = stand.send("/some/page?with=query&and=%2Fmore", headers=BROWSER)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{stand.portal}/login?rd=gwr_")


def test_a_strange_program_is_told_to_sign_in_and_never_redirected(stand: Stand) -> None:
    answer = stand.send("/")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Session realm=")
    assert "location" not in answer.headers


def test_a_person_signs_in_comes_back_and_signs_out(stand: Stand) -> None:
    with stand.client() as client:
        demo, portal = {"Host": stand.host("demo"), **BROWSER}, {"Host": stand.host("auth"), **BROWSER}
        sent = client.get("/page?x=1", headers=demo)
        form = client.get(sent.headers["location"].removeprefix(stand.portal), headers=portal)
        attempt = form.headers["set-cookie"].partition(";")[0]
        fields = {name: field(form.text, name) for name in ("csrf", "return_token")}
        fields |= {"username": "bob", "password": PASSWORD}
        posted = {**portal, "Origin": stand.origin("auth"), "Cookie": attempt}
        done = client.post("/login", headers=posted, data=fields)
        assert done.status_code == 200
        assert f"url={stand.origin('demo')}/page?x=1" in done.text
        cookies = "; ".join(
            value.partition(";")[0] for value in done.headers.get_list("set-cookie") if "gateway_" in value
        )
        told = seen(client.get("/page?x=1", headers={**demo, "Accept": "application/json", "Cookie": cookies}))
        assert told.all("remote-user") == ["bob"]
        account = client.get("/account", headers={**portal, "Cookie": cookies})
        bye = {"csrf": field(account.text, "csrf")}
        assert client.post("/logout", headers={**posted, "Cookie": cookies}, data=bye).status_code == 200
        assert client.get("/page", headers={**demo, "Cookie": cookies}).status_code == 302


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def test_who_is_not_in_the_group_is_refused_and_who_is_gets_in(stand: Stand) -> None:
    assert stand.send(host="vault", cookies=stand.cookie("bob")).status_code == 403
    told = seen(stand.send(host="vault", cookies=stand.cookie("alice")))
    assert told.all("remote-user") == ["alice"]
    assert told.all("remote-groups") == ["admins"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_passes_with_its_body(stand: Stand, method: str) -> None:
    body = b"x" * 300_000 if method in ("POST", "PUT", "PATCH") else b""
    told = seen(stand.send(method=method, content=body or None, cookies=stand.cookie("bob")))
    assert (told.method, told.body_length) == (method, len(body))


def test_a_head_passes(stand: Stand) -> None:
    answer = stand.send(method="HEAD", cookies=stand.cookie("bob"))
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("path", ["/public/", "/"])
def test_a_forged_identity_never_arrives_under_any_spelling(stand: Stand, spelling: str, path: str) -> None:
    known = stand.cookie("bob") if path == "/" else None
    told = seen(stand.send(path, cookies=known, headers={spelling: "evil"}))
    assert told.spelled_like("remote-user") == (
        [] if not known and not told.all("remote-user") else [("bob" if known else "")]
    )


@pytest.mark.parametrize("name", FORGED)
def test_no_identity_of_a_stranger_arrives(stand: Stand, name: str) -> None:
    told = seen(stand.send("/public/", headers={name: "evil", "Connection": f"keep-alive, {name}"}))
    assert "evil" not in told.spelled_like(name)


def test_a_nominated_identity_header_still_arrives(stand: Stand) -> None:
    told = seen(stand.send("/", cookies=stand.cookie("bob"), headers={"Connection": "Remote-User, Remote-Groups"}))
    assert told.all("remote-user") == ["bob"]


def test_what_is_the_apps_own_is_left_alone(stand: Stand) -> None:
    own = {"Authorization": "Basic YXBwOmFwcA==", "X-Api-Key": "the-apps-own-key", "Cookie": "a=1; theme=dark"}
    told = seen(stand.send("/public/", headers=own))
    assert told.all("authorization") == ["Basic YXBwOmFwcA=="]
    assert told.all("x-api-key") == ["the-apps-own-key"]
    assert told.all("cookie") == ["a=1; theme=dark"]


def test_the_secret_stays_between_proxy_and_gateway(stand: Stand) -> None:
    told = seen(stand.send("/public/", headers={"X-Gateway-Secret": "guess"}))
    assert "".join(told.all("x-gateway-secret")) == ""


def test_our_cookie_is_taken_away_where_that_proxy_can(stand: Stand) -> None:
    (value,) = stand.cookie("bob").values()
    for cookie in (
        f"a=1; gateway_session={value}; b=2",
        f"gateway_session={value}; a=1; b=2",
        f"a=1; b=2; gateway_session={value}",
    ):
        (arrived,) = seen(stand.send("/", headers={"Cookie": cookie})).all("cookie")
        assert arrived == ("a=1; b=2" if stand.proxy.STRIPS else cookie)


def test_a_key_opens_and_a_wrong_one_does_not(stand: Stand) -> None:
    _, key = stand.served.key("bob")
    assert seen(stand.send("/", headers={"X-Api-Key": key})).all("remote-user") == ["bob"]
    assert stand.send("/", headers={"X-Api-Key": key[:-1] + ("1" if key.endswith("0") else "0")}).status_code == 401


def test_a_page_that_opens_with_fifty_parallel_requests_gets_all_of_them(stand: Stand) -> None:
    cookies = stand.cookie("bob")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: stand.send(f"/asset/{n}", cookies=cookies).status_code, range(50)))
    assert answers == [200] * 50


def websocket(stand: Stand, **headers: str) -> ClientConnection:
    return connect(
        f"ws://{stand.host('demo')}/ws",
        sock=Line(stand.address).socket,
        origin=headers.pop("Origin", None),  # type: ignore[arg-type]  # a text
        additional_headers=headers,
        proxy=None,
    )


def test_a_websocket_opens_for_who_is_signed_in_from_the_apps_own_page(stand: Stand) -> None:
    (value,) = stand.cookie("bob").values()
    for origin in ({}, {"Origin": stand.origin("demo")}):
        with websocket(stand, Cookie=f"gateway_session={value}", **origin) as opened:
            opened.send("hello")
            assert opened.recv() == "hello"


@pytest.mark.parametrize(("who", "origin", "status"), [("bob", "http://evil.localhost", 403), ("", None, 401)])
def test_a_websocket_of_a_stranger_or_a_foreign_page_does_not_open(
    stand: Stand, who: str, origin: str | None, status: int
) -> None:
    headers = {"Origin": origin} if origin else {}
    if who:
        headers["Cookie"] = f"gateway_session={stand.cookie(who)['gateway_session']}"
    with pytest.raises(InvalidStatus) as refusal:
        websocket(stand, **headers)
    assert refusal.value.response.status_code == status


def test_what_an_apps_host_keeps_for_the_gateway_never_reaches_the_app(stand: Stand) -> None:
    answer = stand.send("/.gateway/anything", cookies=stand.cookie("bob"))
    assert answer.status_code == 404
    assert answer.json()["code"] == "G140"


@pytest.mark.parametrize("path", ["/auth/traefik", "/auth/caddy", "/auth/nginx", "/auth/haproxy", "/auth/envoy/"])
def test_the_doors_of_proxies_are_closed_to_visitors(stand: Stand, path: str) -> None:
    forwarded = {"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http", "X-Forwarded-Uri": "/public/"}
    forwarded |= {"X-Forwarded-Host": "demo.gateway.localhost", "X-Original-Method": "GET"}
    forwarded |= {"X-Original-Url": "http://demo.gateway.localhost/public/"}
    answer = stand.send(path, host="auth", headers=forwarded)
    assert answer.status_code in (403, 404)
    assert "remote-user" not in answer.headers


def test_a_host_of_no_app_is_nobodys(stand: Stand) -> None:
    assert stand.send(host="unknown").status_code in (403, 404, 421)


ODD = (
    "/public/../secret",
    "/public/./../secret",
    "/public/%2e%2e/secret",
    "/public/.%2e/secret",
    "/public/..%2fsecret",
    "/public/%2e%2e%2fsecret",
    "/public/..;/secret",
    "/public/..%3bx/secret",
    "/public/..%5csecret",
    "/public/..\\secret",
    "/public/%252e%252e/secret",
    "//secret",
    "/public//../../secret",
    "/%70ublic/../secret",
    "/public%2f..%2fsecret",
    "/publicity",
    "/public",
    "/Public/",
    "/secret#/public/",
    "/secret?/public/",
)


@pytest.mark.parametrize("path", ODD)
def test_a_stranger_gets_nothing_but_the_public_part_however_it_is_spelled(stand: Stand, path: str) -> None:
    headers = {"Host": stand.host("demo"), "Accept": "application/json", "Connection": "close"}
    answer = ask(stand.address, request("GET", path, headers))
    assert answer.status != 500
    if answer.status == 200:
        arrived = json.loads(answer.body)["path"]
        assert arrived.startswith("/public/")
        assert ".." not in re.split(r"[/;\\]", arrived)


def test_a_body_behind_an_upgrade_is_nobodys_second_request(stand: Stand) -> None:
    (value,) = stand.cookie("bob").values()
    smuggled = f"GET /smuggled HTTP/1.1\r\nHost: {stand.host('demo')}\r\n\r\n"
    head = (
        f"POST /public/ HTTP/1.1\r\nHost: {stand.host('demo')}\r\nCookie: gateway_session={value}\r\n"
        f"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {len(smuggled)}\r\n\r\n"
    )
    before = decisions(stand)
    with Line(stand.address) as line:
        line.send((head + smuggled).encode())
        line.socket.shutdown(1)
        answers = []
        while (answer := line.answer()) is not None:
            answers.append(answer)
    assert len(answers) <= 1
    assert decisions(stand) - before <= 1


def decisions(stand: Stand) -> int:
    return sum(stand.served.gateway.cache.counters.values())


def test_a_gateway_that_is_not_there_lets_nobody_in(stand: Stand) -> None:
    """The gateway's port is answered by nobody: its sockets are closed to new connections for a moment."""
    with unreachable(stand):
        for path in ("/", "/public/"):
            answer = stand.send(path)
            assert answer.status_code in (401, 403, 500, 502, 503)
            assert "remote-user" not in answer.text


@contextmanager
def unreachable(stand: Stand) -> Iterator[None]:
    """Every question fails, at whichever door, as a gateway's does that cannot know."""

    async def gone(scope: object, receive: object, send: object) -> None:
        raise ConnectionAbortedError("on purpose")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand.served.gateway, "_doors", gone)
        patch.setattr(ExpressProtocol, "_answered", lambda self, data: False)
        yield
