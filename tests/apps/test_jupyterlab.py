"""JupyterLab behind the gateway, in a real browser: its kernels and terminals speak over WebSockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect

from apps.gateways import Gateway, gateway, visit
from apps.published import jupyterlab
from browsing import picture
from databases import Cluster

PATIENCE = 60_000.0
"""Milliseconds: JupyterLab is large, and starts a Python of its own."""


@pytest.fixture(scope="module")
def lab(cluster: Cluster, directory: Path) -> Iterator[Gateway]:
    with jupyterlab(directory) as port, cluster.database() as url, gateway(url, directory, {"lab": port}) as started:
        yield started


@pytest.fixture
def person(page: Page) -> Page:
    """Somebody with patience."""
    page.set_default_timeout(PATIENCE)
    return page


def started(person: Page, kind: str, socket: str) -> WebSocket:
    """Click what the launcher offers; the WebSocket that is opened then."""
    with person.expect_websocket(lambda opened: socket in opened.url) as opened:
        person.locator(f'.jp-LauncherCard[title*="{kind}"]').first.click()
    return opened.value


def test_a_cell_of_a_notebook_is_run_and_shows_its_answer(lab: Gateway, person: Page) -> None:
    visit(person, lab, "lab", "/lab?reset")
    started(person, "Python 3", "/channels?")
    person.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    person.keyboard.type("20+22")
    person.keyboard.press("Shift+Enter")
    expect(person.locator(".jp-OutputArea-output").first).to_have_text("42", timeout=PATIENCE)
    picture(person, "jupyterlab")


def test_a_terminal_says_what_its_shell_says(lab: Gateway, person: Page) -> None:
    visit(person, lab, "lab", "/lab?reset")
    terminal = started(person, "terminal", "/terminals/websocket/")
    person.locator(".jp-Terminal").click()
    with terminal.expect_event("framereceived", lambda data: r"42\r\n" in data):
        person.keyboard.type("expr 20 + 22\n")


def test_signing_out_closes_the_sockets_of_the_page(lab: Gateway, person: Page) -> None:
    visit(person, lab, "lab", "/lab?reset")
    terminal = started(person, "terminal", "/terminals/websocket/")
    account = person.context.new_page()
    account.goto(f"{lab.site('auth')}/account")
    with terminal.expect_event("close"):
        account.get_by_role("button", name="Sign out").first.click()
