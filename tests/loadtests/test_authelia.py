"""The configuration that is written for a peer. The binary itself is not here to be asked."""

from __future__ import annotations

from pathlib import Path

import authelia
import yaml
from argon2 import PasswordHasher
from crowd import Site
from questions import Asked


def written(tmp_path: Path, redis: str = "") -> dict[str, object]:
    file = authelia.write(tmp_path, 9091, 9959, Site(), redis, "correct horse", 50)
    found = yaml.safe_load(file.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_it_listens_here_calls_nobody_and_keeps_everything_in_its_directory(tmp_path: Path) -> None:
    found = written(tmp_path)
    text = (tmp_path / "configuration.yml").read_text("utf-8")
    assert "tcp://127.0.0.1:9091/" in text
    assert found["ntp"] == {"disable_startup_check": True}
    paths = [line.split(": ")[1] for line in text.splitlines() if ": /" in line]
    assert len(paths) == 3
    assert all(path.startswith(str(tmp_path)) for path in paths)


def test_it_has_the_same_two_hundred_rules(tmp_path: Path) -> None:
    rules = written(tmp_path)["access_control"]["rules"]  # type: ignore[index]
    assert len(rules) == 200
    assert {rule["policy"] for rule in rules} == {"deny", "bypass", "one_factor"}


def test_sessions_are_in_memory_unless_a_redis_is_named(tmp_path: Path) -> None:
    assert "redis" not in written(tmp_path)["session"]  # type: ignore[operator]
    assert written(tmp_path, "127.0.0.1:6379")["session"]["redis"] == {"host": "127.0.0.1", "port": 6379}  # type: ignore[index]


def test_nobody_else_can_read_its_secrets(tmp_path: Path) -> None:
    written(tmp_path)
    assert (tmp_path / "configuration.yml").stat().st_mode & 0o077 == 0


def test_its_one_person_can_sign_in_with_the_password(tmp_path: Path) -> None:
    written(tmp_path)
    person = yaml.safe_load((tmp_path / "users.yml").read_text("utf-8"))["users"][authelia.PERSON]
    assert PasswordHasher().verify(person["password"], "correct horse")
    assert person["groups"] == ["family", "photos"]


def test_it_is_asked_as_the_gateway_is_but_for_the_path_and_the_secret() -> None:
    sent = authelia.question(Asked("app25.example.com", "hush", "authelia_session=x"))
    assert sent.startswith(b"GET /api/authz/forward-auth HTTP/1.1\r\n")
    assert b"hush" not in sent
    assert b"Cookie: theme=dark; authelia_session=x\r\n" in sent
    assert b"X-Forwarded-Host: app25.example.com\r\n" in sent
