"""``docker/``: read, not run, because no engine is asked for. What can be run without one (scripts, health check) is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import settings
from gateway.settings import Settings
from serving import Served

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+)*(-[a-z0-9]+)?")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, comments gone and lines joined."""
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined]


def last_stage() -> list[tuple[str, str]]:
    """What the finished image is made of."""
    everything = instructions()
    return everything[max(place for place, (word, _) in enumerate(everything) if word == "FROM") :]


def said(word: str) -> list[str]:
    return [rest for name, rest in last_stage() if name == word]


def copied() -> list[str]:
    """What COPY takes from the repository."""
    taken = [rest.split() for word, rest in instructions() if word == "COPY" and "--from=" not in rest]
    return [source for words in taken for source in words[:-1]]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in said("ENV") for pair in rest.split())


def ignored(path: str) -> bool:
    """Whether ``.dockerignore`` keeps a path out: the last pattern that matches it or a directory of it decides."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    out = False
    parts = path.split("/")
    names = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    for line in (line for line in lines if line and not line.startswith("#")):
        pattern = line.removeprefix("!")
        if any(fnmatch(name, pattern) or fnmatch(f"/{name}", pattern.replace("**/", "*/")) for name in names):
            out = not line.startswith("!")
    return out


def secrets(directory: Path) -> dict[str, str]:
    """Made by the script, as a user would; by the names that compose gives them."""
    script = shutil.copy(DOCKER / "secrets.sh", directory)
    subprocess.run(["sh", script], check=True)
    return {name: (directory / given["file"]).read_text("utf-8").strip() for name, given in COMPOSE["secrets"].items()}


# The image ------------------------------------------------------------------------------------------------------------


def test_everything_copied_is_in_the_repository_and_in_the_build_context() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists() or ignored(source)] == []


def test_what_the_package_is_built_of_is_copied() -> None:
    assert {"pyproject.toml", "README.md", "LICENSE", "config", "gateway", "requirements.lock"} <= set(copied())


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "data/keys.json",
        "docker/secrets/proxy.secret",
        "config/proxy.secret",
        "config/keys.json",
        "gateway/__pycache__/app.pyc",
        "gateway/.env",
        "tests/conftest.py",
    ],
)
def test_what_is_private_or_needless_stays_out_of_the_build_context(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("path", ["gateway/storage/migrations/0001_house.sql", "config/apps.yaml", "README.md"])
def test_what_is_needed_gets_into_the_build_context(path: str) -> None:
    assert not ignored(path)


def test_the_image_runs_as_nobody_special() -> None:
    assert said("USER") == ["10001:10001"]
    words = [word for word, _ in last_stage()]
    assert "RUN" not in words[words.index("USER") :]


def test_the_image_serves_and_keeps_its_data_in_a_volume() -> None:
    assert json.loads(said("ENTRYPOINT")[0]) + json.loads(said("CMD")[0]) == ["gateway", "serve"]
    assert said("VOLUME") == [image_environment()["GATEWAY_SERVER_DATA_DIR"]]


def test_only_what_the_lock_names_is_installed() -> None:
    commands = [part for word, rest in instructions() if word == "RUN" for part in rest.split("&&")]
    locked, own = [command for command in commands if " install " in command and "pip " in command]
    assert "--require-hashes" in locked
    assert "-r requirements.lock" in locked
    assert "--no-deps" in own
    assert "--no-build-isolation" in own


def test_no_secret_is_baked_in() -> None:
    names = [name for name in image_environment() if re.search("SECRET|PASSWORD|TOKEN|URL", name)]
    assert names == []
    assert [word for word, _ in instructions() if word in ("ARG", "ADD")] == []


def test_the_health_check_tells_a_gateway_that_answers_from_none(served: Served) -> None:
    command = json.loads(said("HEALTHCHECK")[0].partition("CMD ")[2])
    for port, code in ((served.address[1], 0), (1, 1)):
        here = [sys.executable, *(word.replace("8000", str(port)) for word in command[1:])]
        assert subprocess.run(here, capture_output=True, check=False).returncode == code


# The composition ------------------------------------------------------------------------------------------------------


def test_every_image_is_pinned_to_a_version() -> None:
    stages = [rest.split() for word, rest in instructions() if word == "FROM"]
    images = [words[0] for words in stages] + [service["image"] for service in SERVICES.values()]
    assert [image for image in images if not PINNED.fullmatch(image)] == []
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"forwardauth-gateway:{version}" in images


def test_traefik_is_one_that_deletes_aliases_of_headers() -> None:
    version = SERVICES["traefik"]["image"].rpartition(":v")[2]
    assert tuple(map(int, version.split("."))) >= (3, 7, 12)


def test_every_file_that_is_mounted_or_built_from_exists() -> None:
    mounts = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", ())]
    bound = [source for source, *_ in mounts if source.startswith(".")]
    assert len(bound) == 3
    assert [source for source in bound if not (DOCKER / source).exists()] == []
    named = {source for source, *_ in mounts if not source.startswith(".")}
    assert named == COMPOSE["volumes"].keys()
    build = SERVICES["gateway"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()


def test_files_of_the_repository_are_mounted_read_only() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert [mount for mount in mounts if mount.startswith(".") and not mount.endswith(":ro")] == []


def test_only_traefik_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"traefik": ["127.0.0.1:8080:8080"]}
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_nobody_meets_on_a_network_without_a_reason() -> None:
    meets = {name: {who for who, what in SERVICES.items() if name in what["networks"]} for name in COMPOSE["networks"]}
    assert meets == {
        "edge": {"traefik"},
        "checks": {"traefik", "gateway"},
        "apps": {"traefik", "demo"},
        "store": {"gateway", "postgres"},
    }
    assert [name for name, how in COMPOSE["networks"].items() if not how.get("internal")] == ["edge"]


def test_a_secret_is_given_to_those_who_need_it() -> None:
    holders = {name: {who for who, what in SERVICES.items() if name in what.get("secrets", ())}
               for name in COMPOSE["secrets"]}  # fmt: skip
    assert holders == {
        "proxy_secret": {"traefik", "gateway"},
        "postgres_password": {"postgres"},
        "database_url": {"gateway"},
    }


@pytest.mark.parametrize("name", ["traefik", "gateway", "demo"])
def test_a_container_of_ours_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_secrets_fit_together_are_made_once_and_are_closed_to_others(tmp_path: Path) -> None:
    made = secrets(tmp_path)
    assert made["database_url"] == f"postgresql://gateway:{made['postgres_password']}@postgres/gateway"
    assert len({made["postgres_password"], made["proxy_secret"]}) == 2
    assert min(len(made["postgres_password"]), len(made["proxy_secret"])) == 64
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert secrets(tmp_path) == made


def test_a_secret_that_was_made_cannot_be_committed() -> None:
    patterns = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    files = [Path(given["file"]).name for given in COMPOSE["secrets"].values()]
    assert [file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)] == []


def loaded(directory: Path) -> tuple[Settings, list[str]]:
    """The settings as the gateway finds them in its container, its secrets made by the script."""
    made, files = secrets(directory), {}
    for name, value in (image_environment() | SERVICES["gateway"]["environment"]).items():
        if value.startswith("/run/secrets/"):
            (directory / Path(value).name).write_text(made[Path(value).name], "utf-8")
            value = str(directory / Path(value).name)
        files[name] = value
    return settings.load(ROOT / "config", files)


def test_the_gateway_finds_a_complete_configuration(tmp_path: Path) -> None:
    found, warnings = loaded(tmp_path)
    made = secrets(tmp_path)
    assert warnings == []
    assert found.server.listen == "0.0.0.0:8000"
    assert found.database.url == made["database_url"]
    assert found.trust.secret == made["proxy_secret"]
    assert found.trust.proxies == ()


def test_traefik_finds_the_gateway_where_it_listens(tmp_path: Path) -> None:
    found, _ = loaded(tmp_path)
    told = SERVICES["traefik"]["environment"]
    assert told["GATEWAY_URL"] == f"http://gateway:{found.server.listen.rpartition(':')[2]}"
    assert told["DEMO_URL"] == f"http://demo:{SERVICES['demo']['command'][2]}"
    assert found.server.portal_url == SERVICES["demo"]["command"][0]


def test_what_traefik_reads_from_its_environment_is_given_or_its_script_sets_it() -> None:
    dynamic = (ROOT / "config" / "proxies" / "traefik" / "dynamic.yaml").read_text("utf-8")
    wanted = set(re.findall(r'env "(\w+)"', dynamic))
    assert wanted == SERVICES["traefik"]["environment"].keys() | {"GATEWAY_PROXY_SECRET"}


def test_traefik_is_started_with_our_file_but_for_the_address_and_with_the_secret(tmp_path: Path) -> None:
    """The script itself, its two container paths moved here, and in the place of Traefik one that shows what it got."""
    script = (DOCKER / "traefik.sh").read_text("utf-8")
    moved, places = re.subn("/(tmp|run/secrets)(?=/)", str(tmp_path), script)
    assert places == 3
    (tmp_path / "proxy_secret").write_text("the secret of this test\n", "utf-8")
    (tmp_path / "traefik").write_text('#!/bin/sh\necho "$GATEWAY_PROXY_SECRET"\necho "$@"\n', "utf-8")
    (tmp_path / "traefik").chmod(0o755)
    files = ROOT / "config" / "proxies" / "traefik"
    path = f"{tmp_path}:{os.environ['PATH']}"
    told = subprocess.run(
        ["sh", "-c", moved], cwd=files, env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["the secret of this test", f"--configFile={tmp_path}/traefik.yaml"]
    before, after = ((where / "traefik.yaml").read_text("utf-8").splitlines() for where in (files, tmp_path))
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert [(old.strip(), new.strip()) for old, new in changed] == [('address: "127.0.0.1:8080"', 'address: ":8080"')]


def test_the_demo_app_starts_as_it_is_told() -> None:
    demo = SERVICES["demo"]
    command = [sys.executable, *demo["entrypoint"][1:], demo["command"][0], "127.0.0.1", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = next(found[1] for line in process.stderr if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))
            connection = HTTPConnection("127.0.0.1", int(port), timeout=10)
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, demo["command"][0] in answer.read().decode()) == (200, True)
            connection.close()
        finally:
            process.terminate()
