"""What the README says is true: commands, settings, files and tests that it names exist, and its examples load."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway import appsfile, settings, settings_fields
from gateway.cli import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| ([^|]+) \|", README, re.MULTILINE))
    assert list(rows) == [field.name for field in settings_fields.FIELDS]
    plain = settings.Settings()
    for name, said in rows.items():
        section, _, key = name.partition(".")
        default = getattr(getattr(plain, section), key)
        if isinstance(default, bool | int | str) and default not in ("", ()):
            assert f"`{str(default).lower() if isinstance(default, bool) else default}`" in said, name
        elif isinstance(default, float):
            assert settings_fields.duration(re.findall(r"`([^`]+)`", said)[0]) == default, name


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w./]+)`", README))))
def test_a_promise_names_a_test_that_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_a_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_verb_that_is_named_exists_and_every_verb_is_named() -> None:
    (listed,) = re.findall(r"^`gateway up`, .*?:", README, re.MULTILINE | re.DOTALL)
    named = {words.split()[-2 if words.startswith("policy") else -1] for words in re.findall(r"`([a-z -]+)`", listed)}
    assert {name.split()[0] for name in named} == set(VERBS)
    typed = re.findall(r"\.venv/bin/gateway ([a-z-]+)", README)
    assert typed
    assert set(typed) <= set(VERBS)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)`", README)) <= targets


def test_ci_runs_exactly_what_the_readme_says() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_examples_of_both_files_load(tmp_path: Path) -> None:
    files = {
        text.splitlines()[0].removeprefix("# config/"): text for text in blocks("yaml") if text.startswith("# config/")
    }
    (tmp_path / "gateway.yaml").write_text(files["gateway.yaml"])
    loaded, warnings = settings.load(tmp_path, {})
    assert not warnings
    assert appsfile.read(files["apps.yaml"], "apps.yaml", portal_host=loaded.portal_host)


def test_every_yaml_block_is_yaml() -> None:
    for text in blocks("yaml"):
        assert yaml.safe_load(text)


def test_it_says_what_httpx2_is() -> None:
    assert "httpx2**, the maintained continuation of httpx" in README


def test_nothing_in_the_repository_names_a_registry_or_a_machine() -> None:
    forbidden = re.compile("|".join(["pypi" + ".org", "files.python" + "hosted", "/simple" + "/", "/wo" + "rk/"]))
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert listed
    for name in listed:
        assert not forbidden.search((ROOT / name).read_text("utf-8", "replace")), name
