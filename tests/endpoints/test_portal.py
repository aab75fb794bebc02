"""The portal over raw HTTP: signing in and out, and everything that a form must not be talked into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import serving
from asking import Answer, ask, request
from databases import Cluster
from endpoints.person import ATTEMPT, COOKIE, FORM, HOST, ORIGIN, PORTAL_COOKIE, Person, given, hidden, set_cookies
from gateway import tokens
from gateway.endpoints import forms, returns
from gateway.services import users
from gateway.settings import Server, Session
from gateway.tokens import Ring
from serving import PASSWORD, Served

SECURE = {"path": "/", "httponly": "", "samesite": "Lax", "secure": ""}
WRONG = "This name and password do not belong together."
PAGES = ["/", "/login", "/logout", "/account", "/nowhere", "/account/sessions/end"]
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'"


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[str]:
    """One for all of this module: its tests look at what is theirs alone."""
    with cluster.database() as url:
        yield url


@pytest.fixture(scope="module")
def served(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that knows alice and bob."""
    with serving.serve(database, tmp_path_factory.mktemp("portal")) as started:
        started.user("alice", ["users"])
        started.user("bob", ["admins", "users"])
        yield started


@pytest.fixture
def person(served: Served) -> Person:
    """Somebody on the way in."""
    return Person(served)


def sign_ins(psql: psycopg.Connection) -> object:
    """How many there were."""
    return psql.execute("SELECT count(*) FROM sessions").fetchone()


def text(answer: Answer) -> str:
    """What a page says, without what is new on each: tokens, and the name that was typed."""
    return re.sub(r'gw[a-z]_[\w-]+|(id="username".*?value=)"[^"]*"| autofocus', r"\1", answer.body.decode())


# Signing in ----------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_the_app_lets_them_in(served: Served, person: Person) -> None:
    sent_away = served.check(uri="/album?id=7")
    answer = person.sign_in("alice", path=sent_away["location"].removeprefix(ORIGIN))
    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="0; url=https://app.example.com/album?id=7">' in answer.body.decode()
    assert served.check(cookie=person.app_cookie)["remote-user"] == "alice"


def test_both_cookies_have_the_attributes_that_their_names_promise(person: Person) -> None:
    made = set_cookies(person.sign_in("alice"))
    assert set(made) == {PORTAL_COOKIE, COOKIE, ATTEMPT}
    lifetime = {"max-age": str(30 * 86400)}
    assert made[PORTAL_COOKIE][1] == {**SECURE, **lifetime}
    assert made[COOKIE][1] == {**SECURE, **lifetime, "domain": "example.com"}
    assert made[ATTEMPT] == ("", {**SECURE, "max-age": "0"})


def test_the_cookie_before_a_sign_in_is_for_the_portal_alone(person: Person) -> None:
    made = set_cookies(person.get("/login"))
    assert set(made) == {ATTEMPT}
    assert made[ATTEMPT][1] == {**SECURE, "max-age": "3600"}


def test_a_cookie_fits_a_browser_however_many_groups_somebody_is_in(served: Served) -> None:
    served.user("carol", [f"group-{number}" for number in range(200)])
    answer = Person(served).sign_in("carol")
    assert answer.status == 200
    assert max(len(cookie) for cookie in answer.all("set-cookie")) < 256


@pytest.mark.parametrize(
    "name", ["nobody", "", "alice\0", "ALICE", "a" * 65, "alice ", "alice'--", "\U0001f600", '"><b>']
)
def test_an_unknown_name_is_answered_as_a_wrong_password(person: Person, name: str) -> None:
    wrong = person.sign_in("alice", "not the password")
    unknown = person.sign_in(name, "not the password")
    assert wrong.status == unknown.status == 403
    assert WRONG in text(wrong)
    assert text(unknown) == text(wrong)
    assert set_cookies(wrong) == set_cookies(unknown) == {}


def test_a_disabled_account_is_answered_as_a_wrong_password(served: Served, person: Person) -> None:
    served.user("dora")
    wrong = person.sign_in("dora", "not the password")
    assert served.call(users.disable(served.gateway.ground, "test", "dora")) == ()
    assert text(person.sign_in("dora")) == text(wrong)


@pytest.mark.parametrize("password", ["", "x" * 1025, PASSWORD + "\0", PASSWORD.upper(), " " + PASSWORD])
def test_only_the_password_itself_is_the_password(person: Person, password: str) -> None:
    assert person.sign_in("alice", password).status == 403


def test_a_wrong_password_leaves_no_session_behind(psql: psycopg.Connection, person: Person) -> None:
    before = sign_ins(psql)
    person.sign_in("alice", "not the password")
    person.sign_in("nobody", "not the password")
    assert sign_ins(psql) == before


# Session fixation and the two cookies --------------------------------------------------------------------------------


def test_a_sign_in_makes_new_ids_whatever_the_browser_had(person: Person) -> None:
    planted = {PORTAL_COOKIE: "gwp_" + "A" * 60, COOKIE: "gws_" + "A" * 60}
    person.cookies |= planted
    assert person.sign_in("alice").status == 200
    assert person.cookies[PORTAL_COOKIE] != planted[PORTAL_COOKIE]
    assert person.cookies[COOKIE] != planted[COOKIE]


def test_what_a_browser_had_before_ends_with_a_new_sign_in(served: Served, person: Person) -> None:
    person.sign_in("alice")
    old = dict(person.cookies)
    assert served.check(cookie=person.app_cookie).status == 200
    person.sign_in("bob", path="/login?rd=x")
    served.heard()  # signing in waits for nobody
    assert served.check(cookie=person.app_cookie)["remote-user"] == "bob"
    before = Person(served)
    before.cookies = old
    assert before.get("/account").status == 303
    assert served.check(cookie=before.app_cookie).status == 302


def test_the_portal_knows_nobody_by_the_app_cookie_under_either_name(person: Person) -> None:
    person.sign_in("alice")
    app = person.cookies[COOKIE]
    for cookies in ({COOKIE: app}, {PORTAL_COOKIE: app}, {PORTAL_COOKIE: "gwp_" + app[4:]}):
        person.cookies = cookies
        assert person.get("/account")["location"] == "/login"


def test_an_app_knows_nobody_by_the_portal_cookie_under_either_name(served: Served, person: Person) -> None:
    person.sign_in("alice")
    portal = person.cookies[PORTAL_COOKIE]
    for cookie in (f"{PORTAL_COOKIE}={portal}", f"{COOKIE}={portal}", f"{COOKIE}=gws_{portal[4:]}"):
        assert served.check(cookie=cookie).status == 302


def test_two_portal_cookies_change_nothing_for_anybody(served: Served, person: Person) -> None:
    person.sign_in("alice")
    other = Person(served)
    other.sign_in("bob")
    both = f"{PORTAL_COOKIE}={person.cookies[PORTAL_COOKIE]}; {PORTAL_COOKIE}={other.cookies[PORTAL_COOKIE]}"
    assert person.get("/account", {"Cookie": both}).status == 303
    fields = person.form("/account")
    assert person.post("/logout", fields, {"Cookie": both}).status == 403
    assert person.get("/account").status == other.get("/account").status == 200


def test_cookies_in_two_headers_are_read_as_one(served: Served, person: Person) -> None:
    fields = {**person.form(), "username": "alice", "password": PASSWORD}
    body = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items()).encode()
    headers = [("Host", HOST), ("Origin", ORIGIN), ("Content-Type", FORM), ("Content-Length", str(len(body)))]
    cookies = [("Cookie", "theme=dark"), ("Cookie", f"{ATTEMPT}={person.cookies[ATTEMPT]}")]
    assert ask(served.address, request("POST", "/login", headers + cookies) + body).status == 200


# Whose form it is ----------------------------------------------------------------------------------------------------

OTHERS: dict[str, dict[str, str | None]] = {
    "another site": {"Origin": "https://evil.org", "Sec-Fetch-Site": None},
    "a sibling, which is the same site": {"Origin": "https://app.example.com", "Sec-Fetch-Site": "same-site"},
    "a sibling that says it is the same origin": {"Origin": "https://app.example.com"},
    "the portal over http": {"Origin": "http://auth.example.com"},
    "the portal on another port": {"Origin": "https://auth.example.com:8443"},
    "a name that begins like the portal": {"Origin": "https://auth.example.com.evil.org"},
    "nobody": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "no word at all": {"Origin": None, "Sec-Fetch-Site": None},
    "a referrer alone": {"Origin": None, "Sec-Fetch-Site": None, "Referer": "https://auth.example.com/login"},
    "cross-site by Fetch Metadata": {"Origin": None, "Sec-Fetch-Site": "cross-site"},
    "same-site by Fetch Metadata": {"Origin": None, "Sec-Fetch-Site": "same-site"},
    "an address bar": {"Origin": None, "Sec-Fetch-Site": "none"},
    "the right origin and a cross site": {"Sec-Fetch-Site": "cross-site"},
    "the right origin and a sibling": {"Sec-Fetch-Site": "same-site"},
}
"""Who may send a form that looks like ours, and is not."""


@pytest.mark.parametrize("whose", OTHERS)
def test_a_form_from_elsewhere_signs_nobody_in(psql: psycopg.Connection, person: Person, whose: str) -> None:
    before = sign_ins(psql)
    fields = {**person.form(), "username": "alice", "password": PASSWORD}
    answer = person.post("/login", fields, OTHERS[whose])
    assert answer.status == 403
    assert set_cookies(answer) == {}
    assert sign_ins(psql) == before


@pytest.mark.parametrize("whose", OTHERS)
def test_a_form_from_elsewhere_signs_nobody_out(served: Served, person: Person, whose: str) -> None:
    person.sign_in("alice")
    fields = person.form("/account")
    assert person.post("/logout", fields, OTHERS[whose]).status == 403
    assert served.check(cookie=person.app_cookie).status == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": None}, {"Origin": None}, {}, {"Sec-Fetch-Site": "none"}], ids=str
)
def test_a_form_of_ours_is_known_by_origin_or_by_fetch_metadata(person: Person, headers: dict[str, str | None]) -> None:
    assert person.post("/login", {**person.form(), "username": "alice", "password": PASSWORD}, headers).status == 200


def csrf_of_nobody(served: Served, person: Person) -> str:
    return ""


def csrf_of_another_browser(served: Served, person: Person) -> str:
    return Person(served).form()["csrf"]


def csrf_of_a_session(served: Served, person: Person) -> str:
    other = Person(served)
    other.sign_in("bob")
    return other.form("/account")["csrf"]


def csrf_that_is_old(served: Served, person: Person) -> str:
    bound = person.cookies[ATTEMPT].encode()
    return forms.token(served.gateway.cache.ring, bound, served.gateway.ground.wall() - forms.LIFETIME - 2)


def csrf_of_another_ring(served: Served, person: Person) -> str:
    ring = served.gateway.cache.ring
    foreign = Ring("another", b"abcd", {b"abcd": b"k" * 32}, ring.digest_key)
    return forms.token(foreign, person.cookies[ATTEMPT].encode(), served.gateway.ground.wall())


def csrf_of_another_kind(served: Served, person: Person) -> str:
    return person.cookies[ATTEMPT]


TOKENS = [
    csrf_of_nobody,
    csrf_of_another_browser,
    csrf_of_a_session,
    csrf_that_is_old,
    csrf_of_another_ring,
    csrf_of_another_kind,
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda make: make.__name__)
def test_a_form_with_a_token_that_is_not_its_own_signs_nobody_in(served: Served, person: Person, token: object) -> None:
    fields = person.form() | {"username": "alice", "password": PASSWORD}
    assert callable(token)
    answer = person.post("/login", fields | {"csrf": token(served, person)})
    assert answer.status == 403
    assert set_cookies(answer) == {}


def test_a_form_without_its_cookie_signs_nobody_in(person: Person) -> None:
    fields = {**person.form(), "username": "alice", "password": PASSWORD}
    person.cookies.clear()
    assert person.post("/login", fields).status == 403


def test_a_form_token_sent_twice_is_none(person: Person) -> None:
    fields = person.form()
    body = f"csrf={fields['csrf']}&csrf={fields['csrf']}&username=alice&password=x".encode()
    assert person.post("/login", body).status == 403


# Signing out ---------------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_app_session_before_it_answers(served: Served, person: Person) -> None:
    person.sign_in("alice")
    app, old = person.app_cookie, dict(person.cookies)
    assert served.check(cookie=app).status == 200
    answer = person.sign_out()
    assert answer.status == 200
    assert served.check(cookie=app).status == 302
    assert served.check(cookie=app, host="pub.example.com")["remote-user"] == ""
    person.cookies = old
    assert person.get("/account").status == 303
    made = set_cookies(answer)
    assert made[PORTAL_COOKIE] == ("", {**SECURE, "max-age": "0"})
    assert made[COOKIE] == ("", {**SECURE, "max-age": "0", "domain": "example.com"})


def test_signing_out_leaves_the_other_browser_alone(served: Served, person: Person) -> None:
    other = Person(served)
    other.sign_in("alice")
    person.sign_in("alice")
    person.sign_out()
    assert served.check(cookie=other.app_cookie).status == 200
    assert other.get("/account").status == 200


def test_a_get_never_signs_anybody_out(served: Served, person: Person) -> None:
    person.sign_in("alice")
    for path in ("/logout", "/logout?csrf=x", "/account/sessions/end?id=1"):
        person.get(path)
        person.get(path, method="HEAD")
    assert served.check(cookie=person.app_cookie).status == 200
    assert person.get("/account").status == 200


@pytest.mark.parametrize("name", ["rd", "return_token", "url", "next"])
def test_signing_out_leads_nowhere_else(person: Person, name: str) -> None:
    person.sign_in("alice")
    answer = person.post(f"/logout?{name}=https://evil.org", {**person.form("/account"), name: "https://evil.org"})
    assert answer.status == 200
    assert b"evil.org" not in answer.raw


def test_somebody_ends_another_session_of_their_own(served: Served, person: Person) -> None:
    served.user("erin")
    other = Person(served)
    other.sign_in("erin")
    person.sign_in("erin")
    assert served.check(cookie=other.app_cookie).status == 200
    assert person.post("/account/sessions/end", person.form("/account") | ended(person)).status == 303
    assert served.check(cookie=other.app_cookie).status == 302
    assert served.check(cookie=person.app_cookie).status == 200


def ended(person: Person) -> dict[str, str]:
    """The id that the account page offers to end."""
    return {"id": hidden(person.get("/account"))["id"]}


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "1" * 19, "1 ", "1; DROP TABLE sessions", "٣", "²"])
def test_a_session_that_is_nobodys_cannot_be_ended(person: Person, number: str) -> None:
    person.sign_in("alice")
    assert person.post("/account/sessions/end", {**person.form("/account"), "id": number}).status == 404


def test_nobody_ends_a_session_of_somebody_else(served: Served, psql: psycopg.Connection, person: Person) -> None:
    bob = Person(served)
    bob.sign_in("bob")
    person.sign_in("alice")
    for (number,) in psql.execute(
        "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.name = 'bob'"
    ).fetchall():
        assert person.post("/account/sessions/end", {**person.form("/account"), "id": str(number)}).status == 404
    assert served.check(cookie=bob.app_cookie).status == 200


# Where it leads ------------------------------------------------------------------------------------------------------


def signed(served: Served, url: str, seconds: float = 0.0) -> str:
    return returns.sign(served.gateway.cache.ring, url, served.gateway.ground.wall() + seconds)


def test_a_return_url_that_is_old_is_the_default_page(served: Served, person: Person) -> None:
    token = signed(served, "https://app.example.com/x", -returns.LIFETIME - 2)
    assert b'url=https://auth.example.com/"' in person.sign_in("alice", path=f"/login?rd={token}").body


@pytest.mark.parametrize("url", ["https://gone.example.com/", "https://evil.org/", "https://pub.example.com.evil.org/"])
def test_a_return_url_of_no_app_is_the_default_page_although_it_is_signed(
    served: Served, person: Person, url: str
) -> None:
    assert b'url=https://auth.example.com/"' in person.sign_in("alice", path=f"/login?rd={signed(served, url)}").body


UNSIGNED = [
    "https://app.example.com/x",
    "/local",
    "//evil.com",
    "/\\evil.com",
    "/%09/evil.com",
    "https://evilexample.com",
    "https://example.com@evil.org",
    "javascript:alert(1)",
    "%20javascript:alert(1)",
    "java%0ascript:alert(1)",
    "data:text/html,x",
    "http://app.example.com",
    "",
    "gwr_",
    "gwr_AAAA",
    "%00",
    "%ff%fe",
]
"""What somebody could write into a link (oauth2-proxy's, vouch's and Authelia's lists of tricks)."""


@pytest.mark.parametrize("rd", UNSIGNED)
def test_a_return_url_that_we_did_not_sign_is_the_default_page(person: Person, rd: str) -> None:
    answer = person.sign_in("alice", path=f"/login?rd={rd}")
    assert answer.status == 200
    assert 'content="0; url=https://auth.example.com/"' in answer.body.decode()
    assert "evil" not in answer.body.decode()


def test_a_return_url_with_one_byte_changed_is_the_default_page(served: Served, person: Person) -> None:
    token = signed(served, "https://app.example.com/x")
    for place in range(4, len(token), 11):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert b"to continue to" not in person.get(f"/login?rd={changed}").body
    assert b"to continue to" in person.get(f"/login?rd={token}").body


def test_a_token_of_another_kind_is_no_return_url(served: Served, person: Person) -> None:
    ring, later = served.gateway.cache.ring, int(served.gateway.ground.wall()) + 600
    for kind in ("csrf", "ticket", "attempt", "session"):
        token = tokens.sign(ring, kind, b"1 https://app.example.com/x", later)
        for rd in (token, "gwr_" + token[4:]):
            assert b"to continue to" not in person.get(f"/login?rd={rd}").body


# Pages ---------------------------------------------------------------------------------------------------------------


def assert_guarded(answer: Answer) -> None:
    """What every page is sent with (C331)."""
    policy = answer["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert answer["x-frame-options"] == "DENY"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["referrer-policy"] == "same-origin"
    assert answer["cache-control"] == "no-store"
    assert not answer.all("server")
    assert not answer.all("access-control-allow-origin")
    if answer.status >= 400 and b'name="password"' not in answer.body:
        assert answer["x-request-id"].encode() in answer.body


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_guarded_before_and_after_signing_in(person: Person, path: str) -> None:
    assert_guarded(person.get(path))
    person.sign_in("alice")
    assert_guarded(person.get(path))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "POST"])
@pytest.mark.parametrize("path", ["/", "/login", "/logout", "/account", "/account/sessions/end", "/nowhere"])
def test_a_method_that_a_page_does_not_have_is_a_page_that_says_no(person: Person, path: str, method: str) -> None:
    answer = person.get(path, method=method)
    taken = method == "POST" and path in ("/login", "/logout", "/account/sessions/end")
    assert answer.status == (404 if path == "/nowhere" else 403 if taken else 405)
    assert_guarded(answer)
    if answer.status == 405 and path == "/login":
        assert {"GET", "POST"} <= set(answer["allow"].split(", "))


def test_a_head_is_answered_as_its_get_without_a_body(person: Person) -> None:
    for path in PAGES:
        got, head = person.get(path), person.get(path, method="HEAD")
        assert (head.status, head.body) == (got.status, b"")


def test_pages_exist_on_the_portals_host_alone(served: Served, person: Person) -> None:
    for host in ("app.example.com", "127.0.0.1", "auth.example.com.evil.org", "evil.org", "auth.example.com@evil.org"):
        for path in ("/", "/login", "/logout", "/account", "/static/portal.css"):
            answer = person.get(path, {"Host": host})
            assert answer.status == 404
            assert answer["content-type"] == "application/problem+json"
    for host in ("AUTH.example.com", "auth.example.com:80", "auth.example.com."):
        assert person.get("/login", {"Host": host}).status == 200


def test_the_stylesheet_is_served_and_nothing_else_is(person: Person) -> None:
    style = re.search(r'href="(/static/portal\.css\?v=\w+)"', person.get("/login").body.decode())
    assert style is not None
    assert person.get(style[1])["content-type"].startswith("text/css")
    for path in ("nope", "", "../pages.py", "..%2fpages.py", "%2e%2e/templates/base.html", "/etc/passwd", "\\x", "%00"):
        answer = person.get(f"/static/{path}")
        assert answer.status == 404
        assert_guarded(answer)
    assert person.get("/static/portal.css", method="PUT").status == 405


@pytest.mark.parametrize("field", ["rd", "error", "username", "return_token", "app_title", "csrf"])
def test_nothing_that_a_link_says_becomes_markup(person: Person, field: str) -> None:
    escaped = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    answer = person.get(f"/login?{field}={escaped}&rd={escaped}")
    assert answer.status == 200
    assert b"<script" not in answer.body


def test_nothing_that_a_form_says_becomes_markup(person: Person) -> None:
    fields = person.form() | {"username": HOSTILE, "password": HOSTILE, "return_token": HOSTILE}
    answer = person.post("/login", fields)
    assert answer.status == 403
    assert b"<script" not in answer.body
    assert b"<img src=x" not in answer.body
    assert b"&lt;script&gt;" in answer.body


def test_a_page_that_is_not_there_does_not_repeat_its_address(person: Person) -> None:
    assert b"hunter2" not in person.get("/hunter2?hunter2=hunter2").raw


# Huge and broken forms -----------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[bytes, str, int]] = {
    "a million fields": (b"a=&" * 1_000_000, FORM, 413),
    "one huge field": (b"password=" + b"x" * 20_000_000, FORM, 413),
    "twenty-one fields": (b"&".join(b"a%d=1" % number for number in range(21)), FORM, 400),
    "not UTF-8": (b"username=\xff\xfe", FORM, 400),
    "escapes that are not UTF-8": (b"username=%ff%fe", FORM, 400),
    "half a surrogate pair": (b"username=%ed%a0%80", FORM, 400),
    "JSON": (b'{"username": "alice"}', "application/json", 415),
    "text, as a form of another site may be": (b"username=alice", "text/plain", 415),
    "multipart": (b"--x--\r\n", "multipart/form-data; boundary=x", 415),
    "no type": (b"username=alice", "", 415),
    "nothing": (b"", FORM, 403),
}
"""A body, its type, and how it is refused."""


@pytest.mark.parametrize("what", BROKEN)
def test_a_form_that_is_too_large_or_too_strange_is_refused(person: Person, what: str) -> None:
    body, kind, status = BROKEN[what]
    person.form()
    answer = person.post("/login", body, {"Content-Type": kind})
    assert answer.status == status
    assert_guarded(answer)


# Doors beside the portal ---------------------------------------------------------------------------------------------


def test_metrics_are_on_the_internal_socket_alone(served: Served) -> None:
    assert ask(served.internal, request("GET", "/metrics")).status == 200
    for host in ("127.0.0.1", HOST, "app.example.com", f"127.0.0.1:{served.internal[1]}"):
        assert ask(served.address, request("GET", "/metrics", {"Host": host})).status == 404


def test_the_internal_socket_has_metrics_and_health_and_nothing_else(served: Served) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert ask(served.internal, request("GET", path)).status == 200
    for path in ("/", "/login", "/account", "/auth/traefik", "/metrics/", "/health", "/static/portal.css"):
        assert ask(served.internal, request("GET", path, {"Host": HOST})).status == 404


def test_health_is_for_anybody_on_any_host_and_says_nothing_of_anybody(served: Served) -> None:
    for host in ("127.0.0.1", HOST, "evil.org"):
        for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
            answer = ask(served.address, request("GET", path, {"Host": host}))
            assert answer.status == 200
            assert f'"{status}"'.encode() in answer.body
            assert answer["cache-control"] == "no-store"


# The database away ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cut_off(served: Served, person: Person) -> Iterator[Person]:
    """A person who is signed in at a gateway whose pool hands out no connection."""
    person.sign_in("alice")

    async def away(*_: object, **__: object) -> object:
        raise psycopg.OperationalError("the server closed the connection unexpectedly")

    pool = served.gateway.store.pool
    kept, pool.getconn = pool.getconn, away  # type: ignore[method-assign]
    yield person
    pool.getconn = kept  # type: ignore[method-assign]


def test_without_the_database_a_page_says_so_and_no_cookie_is_taken_away(served: Served, cut_off: Person) -> None:
    served.gateway.cache.forget_all()
    cookies = dict(cut_off.cookies)
    for answer in (cut_off.get("/account"), cut_off.get("/login"), cut_off.get("/logout")):
        assert answer.status == 503
        assert answer["retry-after"] == "1"
        assert_guarded(answer)
    assert cut_off.cookies == cookies


def test_a_gateway_under_localhost_names_its_cookies_without_a_prefix(cluster: Cluster, tmp_path: Path) -> None:
    server = Server(
        portal_url="http://auth.gateway.localhost:8080", data_dir=tmp_path, keys_file=tmp_path / "keys.json"
    )
    chosen = serving.settings(tmp_path, server=server, session=Session(cookie_domain=("gateway.localhost",)))
    with cluster.database() as url, serving.serve(url, tmp_path, chosen, apps=None) as served:
        headers = given({"Host": "auth.gateway.localhost:8080"})
        made = set_cookies(ask(served.address, request("GET", "/login", headers)))
        assert set(made) == {"gateway_attempt"}
        assert "secure" not in made["gateway_attempt"][1]
