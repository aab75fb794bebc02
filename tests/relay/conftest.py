"""A gateway that carries the app which a test plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import serving
from databases import Cluster
from relay import behind
from relay.behind import App
from relay.by_hand import Ground, answers_still, nothing_broke, standing
from serving import Served

APPS = """
apps:
  - name: photos
    title: Photos
    hosts: [photos.example.com]
    upstream: {upstream}
    rules:
      - {{path: /share/, policy: bypass}}
      - {{path: /admin/, policy: one_factor, groups: [admins]}}
      - {{path: /admin/, policy: deny}}
      - {{policy: one_factor}}
  - name: asked
    hosts: [asked.example.com]
    rules: [{{policy: one_factor}}]
"""


@pytest.fixture
def app() -> Iterator[App]:
    """Nobody answers but the test."""
    with behind.listening() as listening:
        yield listening


@pytest.fixture
def carrying(database: str, tmp_path: Path, app: App) -> Iterator[Served]:
    """The gateway before it."""
    with serving.serve(database, tmp_path, apps=APPS.format(upstream=app.upstream)) as served:
        served.user("alice", ["family"], display="Alice", email="alice@example.com")
        yield served


@pytest.fixture
def cookie(carrying: Served) -> str:
    """Alice's."""
    return carrying.session("alice")[1]


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Another, for tests that break what they are given."""
    with standing(cluster, tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.fixture
def ground(shared: Ground, caplog: pytest.LogCaptureFixture) -> Iterator[Ground]:
    """Behind each test the next request goes by a new connection, and gets its own answer."""
    yield shared
    answers_still(shared)
    nothing_broke(caplog)
