"""``gateway up``, as a newcomer meets it: a URL and a password, a real browser, a real Traefik, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import browser, picture
from processes import GATEWAY, Process, free_port

FORGED = ("Remote-User", "remote_user", "REMOTE-USER", "Remote_User", "Remote.User", "X-Forwarded-User")


class Up:
    """A running ``gateway up`` on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.portal = f"http://auth.gateway.localhost:{self.port}"
        self.demo = f"http://demo.gateway.localhost:{self.port}"
        variables = {
            "PATH": os.environ["PATH"],
            "GATEWAY_CONFIG": str(directory / "config"),
            "GATEWAY_SERVER_DATA_DIR": str(directory / "data"),
            "GATEWAY_SERVER_PORTAL_URL": self.portal,
            "GATEWAY_SERVER_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEWAY_SERVER_INTERNAL_LISTEN": f"127.0.0.1:{free_port()}",
        }
        self.process = Process(["up"], variables)
        self.password = re.findall(r"password +(\S+)", self.process.wait_for("a demo app"))[0]

    def get(self, host: str, path: str = "/", headers: dict[str, str] | None = None) -> httpx2.Response:
        """Through Traefik, by address, so that no resolver has to know the name."""
        named = {"Host": f"{host}.gateway.localhost:{self.port}", "Accept": "text/html", **(headers or {})}
        return httpx2.get(f"http://127.0.0.1:{self.port}{path}", headers=named, trust_env=False)


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    directory = Path(tempfile.mkdtemp(prefix="gw-up-"))
    directory.chmod(0o755)  # PostgreSQL runs under another account where we are root
    started = Up(directory)
    yield started
    assert started.process.stop(signal.SIGINT) == 0
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A person nobody knows yet."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def sign_in(page: Page, up: Up, password: str | None = None) -> None:
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(password or up.password)
    page.get_by_role("button", name="Sign in").click()


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page_asked_for(up: Up, page: Page) -> None:
    page.goto(f"{up.demo}/some/page?with=query")
    assert page.url.startswith(f"{up.portal}/login?")
    picture(page, "login")
    sign_in(page, up)
    page.wait_for_url(f"{up.demo}/some/page?with=query")
    expect(page.get_by_role("heading", name="Hello, admin")).to_be_visible()
    picture(page, "demo")


def test_a_wrong_password_says_so_and_lets_try_again(up: Up, page: Page) -> None:
    page.goto(f"{up.portal}/login")
    sign_in(page, up, "not the password")
    expect(page.get_by_role("alert")).to_be_visible()
    picture(page, "wrong-password")
    sign_in(page, up)
    page.wait_for_url(f"{up.portal}/")


def test_signing_out_at_the_portal_closes_the_apps(up: Up, page: Page) -> None:
    page.goto(f"{up.demo}/")
    sign_in(page, up)
    page.wait_for_url(f"{up.demo}/")
    page.goto(f"{up.portal}/")
    expect(page.get_by_role("link", name="Demo")).to_be_visible()
    picture(page, "account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    picture(page, "signed-out")
    page.goto(f"{up.demo}/")
    assert page.url.startswith(f"{up.portal}/login?")


def test_an_app_for_others_shows_who_one_is_and_that_it_is_closed(up: Up, page: Page) -> None:
    page.goto(f"{up.demo}/")
    sign_in(page, up)
    page.wait_for_url(f"{up.demo}/")
    apps = up.directory / "config" / "apps.yaml"
    apps.write_text(apps.read_text().replace("groups: [admins]", "groups: [nobody-at-all]"))
    up.process.wait_for("~ app vault: rule 1: groups")
    page.goto(f"http://vault.gateway.localhost:{up.port}/")
    expect(page.get_by_text("You are signed in as admin")).to_be_visible()
    picture(page, "denied")


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("path", ["/public/", "/"])
def test_a_forged_identity_never_arrives(up: Up, name: str, path: str) -> None:
    answer = up.get("demo", path, {name: "evil", "Accept": "application/json"})
    assert "evil" not in answer.text
    assert answer.status_code == (200 if path == "/public/" else 401)
    if answer.status_code == 200:
        assert ["remote-user", ""] in json.loads(answer.text)["headers"]


def test_the_doors_of_proxies_cannot_be_reached_through_traefik(up: Up) -> None:
    asked = {"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http", "X-Forwarded-Uri": "/"}
    asked["X-Forwarded-Host"] = "demo.gateway.localhost"
    assert up.get("auth", "/auth/traefik", asked).status_code == 404


def test_a_second_one_says_which_port_is_taken(up: Up) -> None:
    busy = {"GATEWAY_SERVER_PORTAL_URL": up.portal, "GATEWAY_SERVER_LISTEN": f"127.0.0.1:{free_port()}"}
    where = {"PATH": os.environ["PATH"], "GATEWAY_SERVER_DATA_DIR": str(up.directory / "other")}
    where["GATEWAY_CONFIG"] = str(up.directory / "config")
    second = Process(["up"], {**where, **busy, "GATEWAY_SERVER_INTERNAL_LISTEN": f"127.0.0.1:{free_port()}"})
    assert second.popen.wait(60) == 2
    second.stop()
    assert f"127.0.0.1:{up.port} cannot be had for Traefik" in second.said.decode()
    assert "Traceback" not in second.said.decode()


def test_the_end_leaves_no_process_behind_however_it_ends() -> None:
    directory = Path(tempfile.mkdtemp(prefix="gw-up-"))
    directory.chmod(0o755)
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        running = Up(directory)
        family = psutil.Process(running.process.popen.pid).children(recursive=True)
        names = {one.name() for one in family}
        assert {"traefik", "postgres"} <= names
        code = running.process.stop(how)
        assert code == (-signal.SIGKILL if how == signal.SIGKILL else 0)
        _, alive = psutil.wait_procs(family, 20)
        assert not alive, how
    shutil.rmtree(directory)


def test_the_first_password_is_kept_where_only_its_owner_reads_it(up: Up) -> None:
    kept = up.directory / "data" / "first-password"
    assert kept.read_text().strip() == up.password
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_password_that_was_changed_is_not_printed_again() -> None:
    directory = Path(tempfile.mkdtemp(prefix="gw-up-"))
    directory.chmod(0o755)
    first = Up(directory)
    where = {"PATH": os.environ["PATH"], "GATEWAY_SERVER_DATA_DIR": str(directory / "data")}
    where["GATEWAY_CONFIG"] = str(directory / "config")
    command = [GATEWAY, "user", "password", "admin"]
    subprocess.run(command, env=where, input="another password\n", text=True, check=True, capture_output=True)
    first.process.stop()
    second = Up(directory)
    second.process.stop()
    assert second.password == "(as"  # "as you changed it"
    assert not (directory / "data" / "first-password").exists()
    shutil.rmtree(directory)
