"""``command``: types what a user would type."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from commands import Command


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str
) -> Command:
    """Commands that reach the database, and the keys file, of the fixture ``served``."""
    config = tmp_path / "config"
    config.mkdir()
    environ = {
        "GATEWAY_CONFIG": str(config),
        "GATEWAY_DATABASE_URL": database,
        "GATEWAY_SERVER_DATA_DIR": str(tmp_path),
        "GATEWAY_SERVER_PORTAL_URL": "https://auth.example.com",
    }
    return Command(environ, config, capsys, lambda stream: monkeypatch.setattr(sys, "stdin", stream))
