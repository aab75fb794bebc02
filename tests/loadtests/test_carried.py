"""What is carried in the bench: both carriers answer every row as is due, and bars are of a whole core."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import bulk
import carriers
import pytest
import questions
import rounds
import wrk
from carriers import Ground
from measures import FAN, carried
from rounds import Ran
from wrk import Outcome

from proxies.nginx import missing

needs_nginx = pytest.mark.skipif(bool(missing()), reason=missing() or "nginx is there")


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carriers, "SESSIONS", 2)
        with carriers.ground([]) as found:
            yield found


@needs_nginx
def test_both_answer_every_row_with_the_status_that_is_due(ground: Ground) -> None:
    rows = carried.rows(ground, 1)
    rounds.verify(rows)
    assert {row.server.port for row in rows} == {ground.gateway.port, ground.nginx.port}
    assert {row.status for row in rows} == {200, 204}


@needs_nginx
@pytest.mark.parametrize("who", [carriers.GATEWAY, carriers.NGINX])
@pytest.mark.parametrize(("path", "size"), [("/small", carriers.SMALL), ("/large", carriers.LARGE)])
def test_an_answer_is_carried_to_its_last_byte(ground: Ground, who: str, path: str, size: int) -> None:
    port, message = ground.carriers()[who].port, ground.gets(carriers.FILES, path)[0]
    bulk.down(port, message, size)
    with pytest.raises(RuntimeError, match=f"{size + 1} bytes are due"):
        bulk.down(port, message, size + 1)


@needs_nginx
@pytest.mark.parametrize("who", [carriers.GATEWAY, carriers.NGINX])
@pytest.mark.parametrize("size", [0, 1, 3 * bulk.AT_ONCE + 7])
def test_an_upload_of_any_length_is_answered(ground: Ground, who: str, size: int) -> None:
    bulk.up(ground.carriers()[who].port, ground.upload("/streamed", size), size)


@needs_nginx
def test_the_gateway_asks_who_it_is_and_nginx_does_not(ground: Ground) -> None:
    nobody = questions.visit(ground.asked(carriers.FILES, "/small")[0]._replace(cookie=""))
    assert [questions.ask(server.port, nobody)[0] for server in (ground.gateway, ground.nginx)] == [401, 200]
    with pytest.raises(RuntimeError, match=r"but this came: b'HTTP/1.1 401"):
        bulk.down(ground.gateway.port, nobody, carriers.SMALL)


def test_the_app_of_uploads_does_not_answer_before_the_last_byte_has_come() -> None:
    with carriers.program("uploads_app.py") as app, socket.create_connection(("127.0.0.1", app.port)) as line:
        line.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n12345678")
        assert questions.ask(app.port, b"GET / HTTP/1.1\r\n\r\n")[0] == 200  # by now it has read what came before
        line.setblocking(False)
        with pytest.raises(BlockingIOError):
            line.recv(1)
        line.setblocking(True)
        line.sendall(b"9")
        assert line.recv(100).startswith(b"HTTP/1.1 204 ")


def test_bars_compare_what_a_whole_core_would_do() -> None:
    ours, theirs = Outcome(1000.0, 0.001, 0.002, 1000, 0, 0), Outcome(1500.0, 0.001, 0.002, 1500, 0, 0)
    results = {
        f"{row}, {who}": runs
        for row in (carried.SMALL, carried.DOWN, carried.UP, carried.BUFFERED)
        for who, runs in ((carriers.GATEWAY, [Ran(ours, 1.0)] * 3), (carriers.NGINX, [Ran(theirs, 0.5)] * 3))
    }
    found = carried.values(results) | {carried.QUERIES: 0.0}
    assert [bar.value for bar in FAN["carried"].judged(found)] == [pytest.approx(1 / 3)] * 3 + [0.0]
    shown = [each for each in carried.figures_of(results) if each.unit == "x nginx as it was"]
    assert [each.value for each in shown] == [pytest.approx(2 / 3)] * 4


def test_without_wrk_nothing_is_measured_and_every_bar_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "weakness", lambda: "hey is slower")
    section = carried.measure(True, lambda said: None)
    assert {(bar.value, bar.reason) for bar in section.bars} == {(None, "hey is slower")}
