"""Secrets are sent through every journey, and then searched for in everything that was written (C334): log lines in both
forms and at every level, metrics, audit, every row of the database, every error page, ``repr`` of what may be printed.
"""

from __future__ import annotations

import io
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import serving
from asking import Answer, Line, ask, question, request
from databases import Cluster
from endpoints.person import COOKIE, ORIGIN, Person
from gateway import policy, tokens
from gateway.observe import floods, logs
from serving import Served

WORD = "canary" + secrets.token_hex(6)
SECRET = {
    name: f"{WORD}-{name}"
    for name in ("password", "wrong", "query", "path", "cookie", "bearer", "basic", "appkey", "header", "fault", "rd")
}
CHECKS = 1000
EVERYTHING = sql.SQL("SELECT t::text FROM {} t")


@contextmanager
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, at every level, as JSON and as text for a terminal."""
    root, stream = logging.getLogger(), io.StringIO()
    kept = root.handlers[:], root.level
    try:
        logs.configure("json", "debug", stream)
        as_json = root.handlers[:]
        logs.configure("console", "debug", stream)
        root.handlers[:] = [*as_json, *root.handlers]
        for quiet in ("psycopg.pool", "asyncio", "uvicorn.error"):
            logging.getLogger(quiet).setLevel(logging.DEBUG)
        yield stream
    finally:
        root.handlers[:], root.level = kept
        logs.configure("json", "warning", io.StringIO())
        root.handlers[:] = kept[0]


class Journeys:
    """What everybody does, with a canary in every place that could be written down; keeps each answer that says no."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.refusals: list[Answer] = []
        self.tokens: list[str] = []

    def keep(self, answer: Answer | None) -> Answer:
        assert answer is not None
        if answer.status >= 400:
            self.refusals.append(answer)
        return answer

    def ask(self, data: bytes) -> Answer:
        return self.keep(ask(self.served.address, data))

    def check(self, host: str = "app.example.com", **how: str) -> Answer:
        """A question with a secret share in its path and query, and headers of every kind."""
        more = [
            ("Authorization", f"Bearer {SECRET['bearer']}"),
            ("Proxy-Authorization", f"Basic {SECRET['basic']}"),
            ("X-Secret", SECRET["header"]),
            ("Referer", f"https://app.example.com/{SECRET['path']}?{SECRET['query']}"),
        ]
        cookie = f"app={SECRET['cookie']}; {how.pop('cookie', '')}"
        uri = how.pop("uri", f"/share/{SECRET['path']}?code={SECRET['query']}")
        return self.ask(request("GET", "/auth/traefik", question(host, uri, cookie=cookie, more=more, **how)))  # type: ignore[arg-type]

    def sign_in_and_out(self) -> None:
        person = Person(self.served)
        sent_away = self.check()
        self.tokens.append(sent_away["location"].partition("?rd=")[2])
        path = sent_away["location"].removeprefix(ORIGIN)
        self.keep(person.sign_in("alice", SECRET["wrong"], path))
        self.keep(person.sign_in(SECRET["wrong"], SECRET["wrong"], path))
        self.keep(person.sign_in("alice", SECRET["password"], path))
        self.tokens += person.cookies.values()
        self.keep(self.check(cookie=person.app_cookie))
        self.keep(self.check("admin.example.com", cookie=person.app_cookie))
        fields = person.form("/account")
        self.tokens.append(fields["csrf"])
        self.keep(person.post("/logout", fields, {"Origin": "https://evil.org"}))
        self.keep(person.post("/logout", fields))

    def malform(self) -> None:
        """What cannot be read, at doors and pages."""
        for how in ({"method": SECRET["header"]}, {"scheme": SECRET["header"]}, {"uri": f"/../{SECRET['path']}"}):
            self.check(**how)
        self.check(host=f"{SECRET['header']}/x")
        self.check(host="unknown.other.org", accept="application/json")
        person = Person(self.served)
        for path in (
            f"/{SECRET['path']}?x={SECRET['query']}",
            f"/login?rd={SECRET['rd']}",
            f"/static/{SECRET['path']}",
        ):
            self.keep(person.get(path))
        self.keep(person.post("/login", f"password={SECRET['password']}".encode()))
        self.keep(person.post("/login", f"password={SECRET['password']}".encode() * 2000))
        self.keep(
            person.post("/login", b'{"password": "%s"}' % SECRET["password"].encode(), {"Content-Type": "text/plain"})
        )
        self.keep(person.post("/login", b"password=%ff" + SECRET["password"].encode()))
        self.ask(request("GET", f"http://{SECRET['header']}/{SECRET['path']}", {"Cookie": SECRET["cookie"]}))
        self.ask(b"GET /auth/traefik HTTP/1.1\r\nCookie : %s\r\n\r\n" % SECRET["cookie"].encode())

    def use_keys_and_tokens(self) -> None:
        _, key = self.served.key("alice")
        _, cookie = self.served.session("alice")
        self.tokens += [key, cookie.partition("=")[2]]
        for how in ({"key": key}, {"key": key[:-1] + "x"}, {"key": SECRET["appkey"]}, {"cookie": cookie}):
            self.check(**how)
            self.check("admin.example.com", **how)
        self.check(uri=f"/x?token={key}&code={SECRET['query']}")
        strange = tokens.mint(self.served.gateway.cache.ring, "session", int(self.served.gateway.ground.wall()) + 60)
        self.tokens.append(strange)
        self.check(cookie=f"{COOKIE}={strange}")
        self.check(cookie=f"{COOKIE}={strange[:-1]}")

    def many(self) -> None:
        """A thousand checks on one connection."""
        _, cookie = self.served.session("alice")
        self.tokens.append(cookie.partition("=")[2])
        uri = f"/{SECRET['path']}?code={SECRET['query']}"
        hosts = ("app.example.com", "admin.example.com", "other.org", "pub.example.com")
        with Line(self.served.address) as line:
            for number in range(CHECKS):
                line.send(request("GET", "/auth/traefik", question(hosts[number % 4], uri, cookie=cookie)))
                self.keep(line.answer())

    def break_things(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Faults whose words are known, with secrets in the variables around them."""

        def broken(*_: object, **__: object) -> object:
            raise RuntimeError("the rule engine broke")

        person = Person(self.served)
        person.sign_in("alice", SECRET["password"])
        self.tokens += person.cookies.values()
        with monkeypatch.context() as patch:
            patch.setattr(policy, "decide", broken)
            self.check(cookie=person.app_cookie)
        pool = self.served.gateway.store.pool
        with monkeypatch.context() as patch:
            patch.setattr(pool, "getconn", broken)
            self.keep(person.get(f"/account?x={SECRET['query']}"))
            self.keep(person.sign_in("alice", SECRET["password"]))
            self.check(cookie=f"{COOKIE}={tokens.mint(self.served.gateway.cache.ring, 'session', 2**39)}")


def search(text: str, tokens: list[str], where: str) -> None:
    """Not a canary, not a token, not a part of one that is long enough to matter."""
    assert WORD not in text, f"a canary is in {where}: {text[max(0, text.find(WORD) - 200) :][:300]}"
    for token in tokens:
        assert token not in text, f"a {token[:4]} token is in {where}"
        assert token[20:44] not in text, f"a part of a {token[:4]} token is in {where}"


def rows_of(url: str) -> str:
    """Every row of every table, as text."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'gateway'").fetchall()
        return "\n".join(
            str(row[0])
            for (table,) in tables
            for row in connection.execute(EVERYTHING.format(sql.Identifier("gateway", table))).fetchall()
        )


def remembered(served: serving.Served) -> str:
    """What the express door keeps of heads that it has read."""
    familiar = served._server.lifespan.state["gateway.express"].familiar
    known = [*familiar._people.values(), *familiar._strangers.values()]
    assert known
    return "".join(f"{each.request.headers} {each.request._asdict()} {each.standing}" for each in known)


def test_no_secret_is_written_anywhere(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "PASSWORD", SECRET["password"])
    monkeypatch.setattr(floods, "MOST", 1_000_000)  # every line there is
    with cluster.database() as url, written() as stream:
        with serving.serve(url, tmp_path) as served:
            served.user("alice", ["users"])
            journeys = Journeys(served)
            journeys.sign_in_and_out()
            journeys.malform()
            journeys.use_keys_and_tokens()
            journeys.break_things(monkeypatch)
            journeys.many()
            metrics = ask(served.internal, request("GET", "/metrics")).body.decode()
            shown = (
                repr(served.gateway.settings)
                + repr(served.gateway.cache.ring)
                + repr(list(served.gateway.cache._known))
                + remembered(served)
            )
        everything = journeys.tokens
        log = stream.getvalue()
        assert len(log.splitlines()) > 500, "nothing was logged, so nothing was shown"
        assert "the rule engine broke" in log
        search(log, everything, "the log")
        search(metrics, everything, "the metrics")
        search(rows_of(url), everything, "the database")
        search(shown, everything, "what repr shows")
        search("".join(capfd.readouterr()), everything, "what was printed")
        assert {answer.status for answer in journeys.refusals} >= {400, 403, 404, 413, 415, 503}
        for answer in journeys.refusals:
            search(without_the_form(answer), everything, f"the body of a {answer.status}")


def without_the_form(answer: Answer) -> str:
    """A sign-in form shows what was typed as a name, and carries its own tokens, to the one who typed it."""
    text = answer.raw.decode("latin-1")
    return "" if 'name="password"' in text else text
