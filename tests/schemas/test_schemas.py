"""The JSON Schemas for editors: what the tables make, and never stricter than the loaders."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from gateway import appsfile, conditions, documents, schemas, settings
from gateway.cli import run
from gateway.errors import ConfigurationInvalid
from gateway.schemas import words
from gateway.settings_fields import FIELDS, SECTIONS, keys

HERE = Path(schemas.__file__).parent
SHIPPED = Path(__file__).parents[2] / "config"
APP: dict[str, Any] = {"name": "app", "hosts": ["app.example.com"]}


@cache
def validator(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads(schemas.text(name)))


def schema_takes(name: str, data: object) -> bool:
    return bool(validator(name).is_valid(data))


def loader_takes(name: str, data: object, directory: Path) -> bool:
    text = json.dumps(data)
    try:
        if name == "apps":
            appsfile.read(text, "apps.yaml", portal_host="")
        else:
            (directory / "gateway.yaml").write_text(text)
            settings.load(directory, {}, need_portal=False)
    except ConfigurationInvalid:
        return False
    return True


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_files_are_what_the_tables_make(name: str) -> None:
    """After a change: gateway check-config --schema NAME > gateway/schemas/NAME.json"""
    assert (HERE / f"{name}.json").read_text("utf-8") == schemas.text(name)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_it_is_a_schema_and_can_be_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Draft7Validator.check_schema(json.loads(schemas.text(name)))
    assert run(["check-config", "--config", "/nowhere", "--schema", name], {}) == 0
    assert capsys.readouterr().out == schemas.text(name)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_shipped_configuration_is_valid_and_names_its_schema(name: str) -> None:
    text = (SHIPPED / f"{name}.yaml").read_text("utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (SHIPPED / first.partition("=")[2]).resolve() == (HERE / f"{name}.json").resolve()
    root, problems = documents.read(text, f"{name}.yaml")
    assert problems == []
    assert list(validator(name).iter_errors(root.plain())) == []


def test_the_commented_lines_of_the_shipped_settings_are_valid_too() -> None:
    """Whoever takes a "# " away must not see a red line."""
    text = (SHIPPED / "gateway.yaml").read_text("utf-8")
    names = {one.key for one in FIELDS} | {f"{one.key}_file" for one in FIELDS if one.secret}
    lines = [
        line.replace("# ", "", 1) if line.strip().removeprefix("# ").partition(":")[0] in names else line
        for line in text.splitlines()
    ]
    data = yaml.safe_load("\n".join(lines))
    assert {f"{section}.{key}" for section in data for key in data[section] or ()} >= {
        one.name for one in FIELDS if not one.secret
    }
    assert list(validator("gateway").iter_errors(data)) == []


def test_every_key_has_its_words() -> None:
    assert set(words.SETTINGS) == {one.name for one in FIELDS}
    assert set(words.APP) == {*appsfile.APP_KEYS, "rules"}
    assert set(words.RULE) | set(conditions.BY_KEY) == set(appsfile.RULE_KEYS)
    assert all(described(json.loads(schemas.text(name))) for name in schemas.NAMES)


def described(schema: Any) -> bool:
    """Every key that takes a value says what it means."""
    inner = schema.get("properties", {})
    return all(
        "description" in one or ("properties" in one and described(one)) or one.get("type") == ["array", "null"]
        for one in inner.values()
        if "const" not in one
    )


def unknown_keys() -> Iterator[tuple[str, object]]:
    yield "gateway", {"servr": {}}
    for section in SECTIONS:
        for key in keys(section):
            yield "gateway", {section: {f"{key}x": None}}
    yield "apps", {"app": []}
    for key in (*appsfile.APP_KEYS, "rules"):
        yield "apps", {"apps": [{**APP, f"{key}x": "x"}]}
    for key in appsfile.RULE_KEYS:
        yield "apps", {"apps": [{**APP, "rules": [{"policy": "deny", f"{key}x": "x"}]}]}


@pytest.mark.parametrize(("name", "data"), list(unknown_keys()), ids=str)
def test_an_unknown_key_is_refused_by_both(name: str, data: object, tmp_path: Path) -> None:
    assert not loader_takes(name, data, tmp_path)
    assert not schema_takes(name, data)


SAMPLES: tuple[object, ...] = (
    None, True, False, 0, 1, -1, 2**31, "", "x", "auto", "info", "domain", "host", "app", "gateway", "check", "pass",
    "bypass", "deny", "one_factor", "4s", "1.5h", "7d", "0s", "1y", "5", "/x", "x/y", "127.0.0.1:8000", "unix:/run/x",
    "example.com", "https://auth.example.com", "https://example.com/x", "postgresql://x/y", "0123456789abcdef",
    [], ["x"], ["192.0.2.0/24"], ["example.com"], ["GET"], [""], [1], [None], ["x", "x"],
    {}, {"X-User": "{user}"}, {"X-User": 1}, [{}], [{"policy": "deny"}],
)  # fmt: skip
"""Whatever somebody may write behind a key, right or wrong."""


def documents_with_each_sample() -> Iterator[tuple[str, object]]:
    for sample in SAMPLES:
        for one in FIELDS:
            yield "gateway", {one.section: {one.key: sample}}
        for section in SECTIONS:
            yield "gateway", {section: sample}
        for key in (*appsfile.APP_KEYS, "rules"):
            yield "apps", {"apps": [{**APP, key: sample}]}
        for key in appsfile.RULE_KEYS:
            yield "apps", {"apps": [{**APP, "rules": [{"policy": "one_factor", key: sample}]}]}
        yield "apps", {"apps": sample}
        yield from (("apps", sample), ("gateway", sample))


def test_the_schema_refuses_nothing_that_the_loader_takes(tmp_path: Path) -> None:
    cases = [copy.deepcopy(case) for case in documents_with_each_sample()]
    taken = [(name, data) for name, data in cases if loader_takes(name, data, tmp_path)]
    assert len(taken) > 150
    assert [(name, data) for name, data in taken if not schema_takes(name, data)] == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("gateway", {"server": {"workers": "many"}}),
        ("gateway", {"server": {"workers": 0}}),
        ("gateway", {"server": {"express": "on"}}),
        ("gateway", {"server": {"data_dir": "state"}}),
        ("gateway", {"cache": {"grace": 5}}),
        ("gateway", {"cache": {"grace": "5 s"}}),
        ("gateway", {"session": {"reach": "host"}}),
        ("gateway", {"log": {"level": "loud"}}),
        ("gateway", {"trust": {"proxies": "10.0.0.0/8"}}),
        ("gateway", []),
        ("apps", {"apps": [{"name": "app"}]}),
        ("apps", {"apps": [{"hosts": ["app.example.com"]}]}),
        ("apps", {"apps": [{**APP, "hosts": []}]}),
        ("apps", {"apps": [{**APP, "hosts": "app.example.com"}]}),
        ("apps", {"apps": [{**APP, "preflight": "no"}]}),
        ("apps", {"apps": [{**APP, "rules": [{}]}]}),
        ("apps", {"apps": [{**APP, "rules": [{"policy": "two-factor"}]}]}),
        ("apps", {"apps": [{**APP, "rules": [{"policy": "deny", "groups": []}]}]}),
        ("apps", {"apps": [{**APP, "rules": [{"policy": "deny", "path": "/a", "path_exact": "/b"}]}]}),
        ("apps", {"apps": [{**APP, "rules": [{"policy": "bypass", "users": ["alice"]}]}]}),
        ("apps", {"apps": {}}),
    ],
    ids=str,
)
def test_common_mistakes_are_seen_in_the_editor_already(name: str, data: object, tmp_path: Path) -> None:
    assert not loader_takes(name, data, tmp_path)
    assert not schema_takes(name, data)
