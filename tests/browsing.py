"""A real browser: Debian's Chromium, driven by Playwright, that asks nobody but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser; each ``new_context()`` of it is a person with cookies of their own."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield started
        started.close()


def picture(page: Page, name: str) -> None:
    """Keep a screenshot where GATEWAY_TEST_PICTURES says, for people to look at."""
    if directory := os.environ.get("GATEWAY_TEST_PICTURES"):
        page.screenshot(path=Path(directory, f"{name}.png"), full_page=True)
