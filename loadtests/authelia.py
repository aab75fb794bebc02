"""A peer, as its users run it: Authelia with file users, sessions in memory (or in a Redis that is named), the same fifty
apps and two hundred rules, its metrics on. Written from its public documentation for versions 4.38 and later.

Only the configuration and the sign-in are here; who measures starts the binary.
"""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import yaml
from argon2 import PasswordHasher
from crowd import Site
from questions import Asked, forwarded, message, visitor

NAME, COOKIE = "Authelia", "authelia_session"
PERSON = "person1"
CHECK, HEALTH, SIGN_IN = "/api/authz/forward-auth", "/api/health", "/api/firstfactor"


def write(directory: Path, port: int, metrics: int, site: Site, redis: str, password: str, apps: int) -> Path:
    """Its files in ``directory``; the one that it is started with."""
    (directory / "users.yml").write_text(yaml.safe_dump(users(password)), "utf-8")
    file = directory / "configuration.yml"
    file.touch(0o600)
    file.write_text(yaml.safe_dump(configuration(directory, port, metrics, site, redis, apps)), "utf-8")
    return file


def configuration(directory: Path, port: int, metrics: int, site: Site, redis: str, apps: int) -> dict[str, Any]:
    """What is in ``configuration.yml``. It calls nobody, and keeps nothing outside of ``directory``."""
    cookie = {"domain": site.domain, "authelia_url": f"https://auth.{site.domain}"}
    session: dict[str, Any] = {"secret": secrets.token_hex(32), "name": COOKIE, "cookies": [cookie]}
    session |= {"inactivity": "12h", "expiration": "24h"}
    if redis:
        host, _, number = redis.rpartition(":")
        session["redis"] = {"host": host, "port": int(number)}
    return {
        "server": {"address": f"tcp://127.0.0.1:{port}/", "disable_healthcheck": True},
        "log": {"level": "warn"},
        "telemetry": {"metrics": {"enabled": True, "address": f"tcp://127.0.0.1:{metrics}/metrics"}},
        "ntp": {"disable_startup_check": True},
        "identity_validation": {"reset_password": {"jwt_secret": secrets.token_hex(32)}},
        "authentication_backend": {"file": {"path": str(directory / "users.yml")}},
        "access_control": {"default_policy": "deny", "rules": rules(site, apps)},
        "session": session,
        "storage": {
            "encryption_key": secrets.token_hex(32),
            "local": {"path": str(directory / "authelia.sqlite3")},
        },
        "notifier": {"filesystem": {"filename": str(directory / "notifications.txt")}},
    }


def rules(site: Site, apps: int) -> list[dict[str, Any]]:
    """The four rules of each app, in Authelia's words."""
    found: list[dict[str, Any]] = []
    for number in range(1, apps + 1):
        host = site.host(number)
        found += [
            {"domain": host, "resources": ["^/internal/"], "policy": "deny"},
            {"domain": host, "resources": ["^/public/"], "policy": "bypass"},
            {"domain": host, "resources": ["^/api/v[0-9]+/admin"], "policy": "one_factor", "subject": "group:admins"},
            {"domain": host, "policy": "one_factor"},
        ]
    return found


def users(password: str) -> dict[str, Any]:
    """One person, in the two groups that the gateway's people are in. A cheap hash: signing in is not what is measured."""
    said = {"displayname": "Person 1", "email": f"{PERSON}@example.com", "groups": ["family", "photos"]}
    hashed = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(password)
    return {"users": {PERSON: {"disabled": False, "password": hashed, **said}}}


def sign_in(port: int, site: Site, password: str) -> str:
    """Once, as its own page does; the Cookie pair. RuntimeError where it was refused."""
    told = {"username": PERSON, "password": password, "keepMeLoggedIn": False, "requestMethod": "GET"}
    told["targetURL"] = f"https://{site.host(1)}/"
    said = {"Content-Type": "application/json", "Accept": "application/json"}
    said |= {"X-Forwarded-Proto": "https", "X-Forwarded-Host": f"auth.{site.domain}", "X-Forwarded-Uri": SIGN_IN}
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", SIGN_IN, json.dumps(told), said)
        answer = connection.getresponse()
        given = answer.getheader("Set-Cookie") or ""
        answer.read()
    if answer.status != 200 or not given.startswith(f"{COOKIE}="):
        raise RuntimeError(f"{NAME} answered a sign-in with {answer.status}")
    return given.partition(";")[0]


def question(asked: Asked, *more: tuple[str, str]) -> bytes:
    """The gateway's question, at Authelia's path and without the gateway's secret."""
    said = [(name, value) for name, value in forwarded(asked) if name != "X-Gateway-Secret"]
    return message(CHECK, [("Host", "127.0.0.1:8000"), *visitor(asked), *said, *more])
