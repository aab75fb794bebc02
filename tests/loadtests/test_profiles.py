"""The load tests, tested: their data, and that a run can succeed and can fail.

locust patches the standard library when it is imported, so it runs in processes of its own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from serving import Served

LOADTESTS = Path(__file__).parents[2] / "loadtests"
LOCUSTFILE = LOADTESTS / "actual_budget.py"


def load(name: str) -> ModuleType:
    """A module of the load tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"loadtests_{name}", LOADTESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


profiles = load("profiles")
counters = load("counters")
SESSION = "gateway_session=known"
WAVES = [(wave.name, wave) for wave in profiles.ACTUAL_BUDGET]


def locust(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOAD_", "LOCUST_"))}
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=60, check=False)


def run(host: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return locust("--headless", "--only-summary", "-u", "2", "-r", "2", "-t", "2s", "--host", host, *arguments,
                  **environment)  # fmt: skip


class Guarded(BaseHTTPRequestHandler):
    """An app that lets one session in, and answers everybody else as a gateway would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        navigates = self.headers["Sec-Fetch-Mode"] == "navigate"
        known = self.headers["Cookie"] == SESSION and self.headers["Host"].startswith("actual.gateway.localhost:")
        known = known or self.path == "/login"
        self.send_response(200 if known else 302 if navigates else 401)
        self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *unused: object) -> None:
        """Nothing."""


@pytest.fixture
def app() -> Iterator[str]:
    """Its URL, by a name that no resolver needs to know."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://actual.gateway.localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_one_opening_is_a_burst_of_the_known_size() -> None:
    sizes = {name: len(wave.requests()) for name, wave in WAVES}
    assert sizes == {"1 page": 27, "2 worker": 6, "3 migrations": 51, "4 account": 6}
    assert 85 <= sum(sizes.values()) <= 110


@pytest.mark.parametrize(("name", "wave"), WAVES, ids=[name for name, _ in WAVES])
def test_every_request_of_a_wave_is_another_one_and_of_a_known_kind(name: str, wave: object) -> None:
    requests = wave.requests()  # type: ignore[attr-defined]
    paths = [path for _, path in requests]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith("/") and "{" not in path for path in paths)
    assert {asset.kind for asset, _ in requests} <= profiles.KINDS.keys()


def test_only_the_page_itself_is_a_navigation() -> None:
    navigations = [path for _, wave in WAVES for asset, path in wave.requests() if asset.kind == "html"]
    assert navigations == ["/"]
    assert [name for name, kind in profiles.KINDS.items() if kind.mode == "navigate"] == ["html"]


def test_the_migrations_are_asked_for_at_once() -> None:
    wave = dict(WAVES)["3 migrations"]
    assert sum(path.startswith("/data/migrations/") for _, path in wave.requests()) == 50


def test_counters_are_added_up_over_their_labels_and_told_apart_by_room() -> None:
    page = (
        "# TYPE gateway_cache_hits_total counter\ngateway_cache_hits_total {hits}\n"
        "# TYPE gateway_cache_misses_total counter\ngateway_cache_misses_total 2\n"
        "# TYPE gateway_decisions_total counter\n"
        'gateway_decisions_total{{door="traefik",outcome="allow"}} {hits}\n'
        'gateway_decisions_total{{door="nginx",outcome="allow"}} 1\n'
        "# TYPE gateway_queries_total counter\n"
        'gateway_queries_total{{room="recall"}} {recalls}\n'
    )
    before, after = (counters.parse(page.format(hits=hits, recalls=recalls)) for hits, recalls in ((10, 3), (110, 5)))
    assert before.decisions == {"allow": 11}
    assert after.since(before) == counters.Counters(100, 0, {"allow": 100}, {"recall": 2})


def test_a_page_without_our_counters_is_refused() -> None:
    with pytest.raises(ConnectionError, match="no counters of a gateway"):
        counters.parse("# TYPE other_total counter\nother_total 1\n")


def test_the_locustfile_offers_one_browser() -> None:
    listed = locust("--list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.split()[-1] == "ActualBudget"


@pytest.mark.parametrize(
    ("cookies", "said"),
    [
        ({}, "no sessions"),
        ({"LOAD_COOKIES": "gateway_session=one\nsecond-token"}, "session 2 is not written name=value"),
    ],
    ids=["none", "no name"],
)
def test_a_run_without_usable_sessions_does_not_begin(cookies: dict[str, str], said: str) -> None:
    done = run("http://127.0.0.1:1", **cookies)
    assert done.returncode == 1
    assert said in done.stderr
    assert "second-token" not in done.stdout + done.stderr


def test_answers_that_were_not_due_end_in_exit_1_and_one_line(served: Served) -> None:
    """Asked directly, without a proxy, a gateway knows no such host: 404."""
    host = f"http://actual.gateway.localhost:{served.address[1]}"
    done = run(host, LOAD_COOKIES="gateway_session=whatever")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert done.returncode == 1, done.stderr
    assert len(failed) == 1
    assert "404, where 200 was due" in failed[0]


def test_a_redirect_to_the_sign_in_is_an_answer_and_not_followed(app: str) -> None:
    """Following it would make a 200 of every session that was lost."""
    done = run(app, LOAD_COOKIES="gateway_session=lost")
    assert done.returncode == 1
    assert "302, where 200 was due" in done.stdout + done.stderr
    assert "401, where 200 was due" in done.stdout + done.stderr


@pytest.mark.parametrize(("allowed", "code"), [("0", 0), ("-1", 1)], ids=["as many as allowed", "more than allowed"])
def test_questions_to_the_database_beyond_what_is_allowed_fail_a_run(
    served: Served, app: str, allowed: str, code: int
) -> None:
    """Nothing else is wrong: the app answers as a guarded one would, and the gateway beside it was asked nothing."""
    metrics = f"http://127.0.0.1:{served.internal[1]}/metrics"
    done = run(app, "--metrics", metrics, f"--max-recalls={allowed}", LOAD_COOKIES=SESSION)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("FAILED: checks asked the database 0 times, -1 were allowed" in done.stdout) == bool(code)


def test_a_small_run_through_the_whole_stack_succeeds() -> None:
    """PostgreSQL, the gateway, the demo app and a real Traefik; 200 for two browsers, 302 or 401 for strangers."""
    command = [sys.executable, str(LOADTESTS / "stack.py"), "--users", "2", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 not as due" in done.stdout
    assert "challenge 1" in done.stdout
