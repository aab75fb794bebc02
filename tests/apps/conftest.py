"""What the tests of published apps share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browsing import browser


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Short, and open to whoever PostgreSQL runs as."""
    made = Path(tempfile.mkdtemp(prefix="gw-apps-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


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
