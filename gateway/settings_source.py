"""Where settings come from: ``gateway.yaml``, then ``GATEWAY_*`` variables over it, then the files that hold secrets.

Gathers what was given and where; what it means is read by ``settings``, who alone calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway import documents, values
from gateway.documents import Node
from gateway.errors import ConfigurationInvalid, Problem
from gateway.settings_fields import FIELDS, SECTIONS, absolute, keys

ELSEWHERE = {"GATEWAY_CONFIG"}
"""Variables that others read: the command line."""


class Given(NamedTuple):
    """A value as written, and where: ``config/gateway.yaml:12`` or the variable's name."""

    where: str
    value: object


def gather(file: Path, environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Given]:
    """What was given, by full name (``server.listen``), secrets already read from their files."""
    written, spoken = _from_file(file, problems), _from_environment(environ)
    for pair in _secrets():
        if spoken.keys() & set(pair):
            written = {name: given for name, given in written.items() if name not in pair}
    return _open_secrets(written | spoken, problems)


def warnings(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none. Orchestrators inject some, so they stop nothing."""
    known = _variables().keys() | ELSEWHERE
    return [
        f"{name} is not a setting and is ignored ({values.hint(name, known)})"
        if values.nearest(name, known)
        else f"{name} is not a setting and is ignored"
        for name in sorted(environ)
        if name.startswith("GATEWAY_") and name not in known
    ]


def _from_file(file: Path, problems: list[Problem]) -> dict[str, Given]:
    root, found = _document(file)
    problems += found
    given: dict[str, Given] = {}
    for section, node in _entries(root, SECTIONS, "the file", problems).items():
        for key, child in _entries(node, keys(section), section, problems).items():
            if child.value is not None:
                given[f"{section}.{key}"] = Given(child.where, child.plain())
    return given


def _entries(node: Node, known: tuple[str, ...] | list[str], name: str, problems: list[Problem]) -> dict[str, Node]:
    """A section whose keys are all commented out is an empty one."""
    return {} if node.value is None else documents.entries(node, known, name, problems)


def _document(file: Path) -> tuple[Node, list[Problem]]:
    try:
        return documents.read(file.read_text("utf-8"), str(file))
    except FileNotFoundError:
        return Node(str(file), None), []
    except UnicodeDecodeError:
        raise ConfigurationInvalid([Problem(str(file), "is not UTF-8 text")]) from None
    except OSError as error:
        raise ConfigurationInvalid([Problem(str(file), f"cannot be read: {error.strerror}")]) from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    known = _variables()
    return {known[name][0]: Given(name, known[name][1](environ[name])) for name in known.keys() & environ.keys()}


def _variables() -> dict[str, tuple[str, Callable[[str], object]]]:
    """Each variable, the full name it sets, and how to read its text."""
    found = {field.variable: (field.name, field.spoken) for field in FIELDS}
    return found | {f"{field.variable}_FILE": (f"{field.name}_file", str) for field in FIELDS if field.secret}


def _secrets() -> list[tuple[str, str]]:
    return [(field.name, f"{field.name}_file") for field in FIELDS if field.secret]


def _open_secrets(given: dict[str, Given], problems: list[Problem]) -> dict[str, Given]:
    """``given`` with each ``*_file`` replaced by what the file holds."""
    for name, name_file in _secrets():
        where, path = given.pop(name_file, (None, None))
        if where is None:
            continue
        if name in given:
            problems.append(Problem(where, f"{name} and {name_file} are both given", "keep one of them"))
            continue
        try:
            given[name] = Given(where, _first_text(absolute(path)))
        except ValueError as error:
            problems.append(Problem(where, f"{name_file}: {error}"))
    return given


def _first_text(file: Path) -> str:
    """What a secret's file holds, without the line end that editors add."""
    try:
        return file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
