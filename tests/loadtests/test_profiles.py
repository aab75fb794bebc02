"""The load tests, tested: their data, and that a run can succeed and can fail.

locust patches the standard library when it is imported, so it runs in processes of its own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving import Served

sys.path.append(str(Path(__file__).parents[2] / "loadtests"))  # they are no package

import counters
from profiles import ALL
from runs import LOCUSTFILES
from strangers import EVERY, Mix
from waves import KINDS, Asset, Profile, Wave

LOADTESTS = Path(__file__).parents[2] / "loadtests"
LOCUSTFILE = LOADTESTS / "actual_budget.py"
SESSION = "gateway_session=known"
KEY = "gwk_known"
WAVES = [
    pytest.param(wave, id=f"{profile.app} {wave.name}")
    for profile in ALL.values()
    for wave in (*profile.opening, profile.trickle.wave)
]


def locust(*arguments: str, file: Path = LOCUSTFILE, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOAD_", "LOCUST_"))}
    command = [sys.executable, "-m", "locust", "-f", str(file), *arguments]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=60, check=False)


def run(host: str, *arguments: str, file: Path = LOCUSTFILE, **environment: str) -> subprocess.CompletedProcess[str]:
    shape = ("--headless", "--only-summary", "-u", "2", "-r", "2", "-t", "2s", "--host", host)
    return locust(*shape, *arguments, file=file, **environment)


class Guarded(BaseHTTPRequestHandler):
    """An app that lets one session in, and answers everybody else as a gateway would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        navigates = self.headers["Sec-Fetch-Mode"] == "navigate"
        ours = self.headers["Host"].startswith("actual.gateway.localhost:")
        known = self.headers["Cookie"] == SESSION or self.headers["X-Api-Key"] == KEY or self.path == "/login"
        self.send_response(404 if not ours else 200 if known else 302 if navigates else 401)
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


@pytest.mark.parametrize(
    ("app", "sizes"),
    [("actual", [27, 6, 51, 6]), ("immich", [82, 18, 60]), ("kitchenowl", [9, 16, 2, 21])],
)
def test_one_opening_is_a_burst_of_the_known_size(app: str, sizes: list[int]) -> None:
    assert [len(wave.requests()) for wave in ALL[app].opening] == sizes


@pytest.mark.parametrize("wave", WAVES)
def test_every_request_of_a_wave_is_another_one_and_of_a_known_kind(wave: Wave) -> None:
    requests = wave.requests()
    assert len({(asset.method, path) for asset, path in requests}) == len(requests)
    assert all(path.startswith("/") and "{" not in path for _, path in requests)
    assert {asset.kind for asset, _ in requests} <= KINDS.keys()


@pytest.mark.parametrize("profile", ALL.values(), ids=ALL)
def test_only_the_page_itself_is_a_navigation(profile: Profile) -> None:
    requests = [each for wave in (*profile.opening, profile.trickle.wave) for each in wave.requests()]
    assert [path for asset, path in requests if KINDS[asset.kind].mode == "navigate"] == ["/"]


def test_the_migrations_are_asked_for_at_once() -> None:
    [wave] = [wave for wave in ALL["actual"].opening if wave.name == "3 migrations"]
    assert sum(path.startswith("/data/migrations/") for _, path in wave.requests()) == 50


@pytest.mark.parametrize(
    ("turn", "kind", "public", "who", "due"),
    [
        (0, "html", False, "nobody", {302}),
        (0, "js", False, "nobody", {401}),
        (0, "html", True, "nobody", {200}),
        (1, "api", False, "forged", {401}),
        (1, "api", True, "forged", {200}),
        (2, "html", False, "unknown host", {403, 404}),
        (2, "html", True, "unknown host", {403, 404}),
        (3, "js", False, "key", {200}),
        (4, "html", False, "expired", {302}),
        (4, "font", False, "expired", {401}),
        (5, "js", False, "nobody", {401}),
    ],
)
def test_strangers_take_turns_and_each_is_due_another_answer(
    turn: int, kind: str, public: bool, who: str, due: set[int]
) -> None:
    mix = Mix(["gwk_one"], ["gateway_session=over"], public)
    asking = mix.asking(turn * EVERY, Asset("/", kind), "actual.example.com:8080", SESSION)
    assert (asking.who, asking.due) == (who, due)
    assert (asking.host == "actual.example.com:8080") == (who != "unknown host")
    assert (asking.headers.get("Cookie") == SESSION) == (who == "unknown host")


def test_everything_between_the_strangers_is_the_browsers_own() -> None:
    mix = Mix([], [], public=False)
    asked = [mix.asking(number, Asset("/", "js"), "actual.example.com", SESSION) for number in range(1, EVERY)]
    assert {(each.who, each.headers["Cookie"], each.due) for each in asked} == {("", SESSION, frozenset({200}))}


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


@pytest.mark.parametrize(
    ("app", "browser"), [("actual", "ActualBudget"), ("immich", "Immich"), ("kitchenowl", "KitchenOwl")]
)
def test_each_locustfile_offers_one_browser(app: str, browser: str) -> None:
    listed = locust("--list", file=LOADTESTS / LOCUSTFILES[app])
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.split()[-1] == browser


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


def test_a_run_of_one_opening_ends_with_the_last_browser_and_reports(app: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    more = ("-t", "50s", "--visits", "1", "--report", str(report))
    done = run(app, *more, LOAD_COOKIES=SESSION, LOAD_KEYS=KEY, LOAD_EXPIRED="gateway_session=over")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert (found["requests"], found["failures"], found["unanswered"], found["opened"]) == (2 * 90, 0, 0, 2)
    assert found["p50"] <= found["p99"] <= math.ceil(found["slowest"])  # locust rounds the first two


def test_asked_for_directly_a_check_is_told_of_each_request_as_traefik_tells_it(served: Served) -> None:
    """The gateway under test trusts this machine; the session is nobody's, so it is refused and never allowed."""
    check = f"http://{served.address[0]}:{served.address[1]}/auth/traefik"
    done = run("http://app.example.com", "--ask", check, "--visits", "1", LOAD_COOKIES="gateway_session=nobodys")
    assert "401, where 200 was due" in done.stdout + done.stderr
    assert "302, where 200 was due" in done.stdout + done.stderr
    assert "404" not in done.stdout


def test_an_answer_that_comes_after_the_page_gave_up_fails_a_run(app: str, tmp_path: Path) -> None:
    """KitchenOwl with no patience at all, so that this need not take four seconds."""
    file = tmp_path / "impatient.py"
    file.write_text(
        "from browsers import Browser\n"
        "from profiles import KITCHENOWL\n"
        "class Impatient(Browser):\n"
        "    profile = KITCHENOWL._replace(patience=1e-9)\n"
    )
    done = run(app, file=file, LOAD_COOKIES=SESSION, PYTHONPATH=str(LOADTESTS))
    assert done.returncode == 1
    assert "the page had given up" in next(line for line in done.stdout.splitlines() if line.startswith("FAILED"))
    assert ALL["kitchenowl"].patience == 4.0


@pytest.mark.parametrize("profile", ALL)
def test_a_small_run_through_the_whole_stack_succeeds(profile: str) -> None:
    """PostgreSQL, the gateway, the demo app and a real Traefik; two browsers, strangers, and changes meanwhile."""
    command = [sys.executable, str(LOADTESTS / "stack.py"), "--profile", profile, "--users", "2", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 not as due" in done.stdout
    assert "rounds of changes while it ran, 0 things wrong" in done.stdout
    assert "challenge" in done.stdout
    assert "deny" in done.stdout
