"""A YAML text as plain values that remember their line. The only room that knows YAML.

Less than YAML on purpose: one document, text keys, no anchors or aliases (a small text could become a large one), no
tags, a key once only. ``yes``, ``no`` and ``on`` are texts, as in YAML 1.2. Whoever reads a configuration file may
call.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from gateway import values
from gateway.errors import ConfigurationInvalid, Problem

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 16

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Plain = bool | int | str | list["Plain"] | dict[str, "Plain"] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it stands (``config/apps.yaml:12``). What a mapping holds stands where its key does."""

    where: str
    value: bool | int | str | list[Node] | dict[str, Node] | None

    def plain(self) -> Plain:
        """The value without its lines."""
        match self.value:
            case list(items):
                return [item.plain() for item in items]
            case dict(entries):
                return {key: child.plain() for key, child in entries.items()}
            case single:
                return single


def read(text: str, filename: str) -> tuple[Node, list[Problem]]:
    """The document and what is wrong with it so far (keys given twice); ConfigurationInvalid where it is no YAML."""
    if len(text) > MAX_CHARACTERS:
        raise _invalid(filename, 1, f"is longer than {MAX_CHARACTERS} characters")
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(filename, mark.line + 1 if mark else 1, _sentence(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _invalid(filename, line, "a character that YAML does not allow") from None
    problems: list[Problem] = []
    if root is None:
        return Node(filename, None), problems
    return _node(root, filename, _where(root, filename), problems), problems


def entries(node: Node, known: Collection[str], name: str, problems: list[Problem]) -> dict[str, Node]:
    """The known entries of a mapping; every other key, and anything that is no mapping, becomes a problem."""
    if not isinstance(node.value, dict):
        problems.append(Problem(node.where, f"{name} must have keys, not {values.said(node.plain())}"))
        return {}
    problems += [
        Problem(child.where, f'{name} has no key "{key}"', values.hint(key, known))
        for key, child in node.value.items()
        if key not in known
    ]
    return {key: child for key, child in node.value.items() if key in known}


def scalar(text: str) -> bool | int | str | None:
    """What an unquoted word means: nothing, a truth, a whole number, or itself (YAML 1.2's core schema, no floats)."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


class _Loader(yaml.SafeLoader):
    """pyyaml's composer without the parts of YAML that configuration does not need."""

    depth = 0

    def fetch_more_tokens(self) -> None:
        try:
            super().fetch_more_tokens()
        except (ValueError, OverflowError):  # pyyaml's own slips: "\\UFFFFFFFF", and a version of 5,000 digits
            raise _marked("an escape or a number that means nothing", self.get_mark()) from None

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # types-pyyaml leaves this method bare
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases (& and *) are not read here; quote a text that begins so", event)
        if getattr(event, "tag", None):
            raise _refused("tags (!) are not read here; quote a text that begins so", event)
        if self.depth == MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH}", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return _marked(problem, event.start_mark)


def _marked(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    """``mark`` is untyped because the stubs name the C parser's."""
    return yaml.MarkedYAMLError(None, None, problem, mark)


def _invalid(filename: str, line: int, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid([Problem(f"{filename}:{line}", what)])


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read as YAML"
    return f"{problem}; YAML indents with spaces" if "\\t" in problem else problem


def _where(node: yaml.Node, filename: str) -> str:
    return f"{filename}:{node.start_mark.line + 1}"


def _node(node: yaml.Node, filename: str, where: str, problems: list[Problem]) -> Node:
    match node:
        case yaml.MappingNode():
            return Node(where, _mapping(node, filename, problems))
        case yaml.SequenceNode():
            return Node(where, [_node(item, filename, _where(item, filename), problems) for item in node.value])
        case _:
            return Node(where, scalar(node.value) if getattr(node, "style", None) is None else node.value)


def _mapping(node: yaml.MappingNode, filename: str, problems: list[Problem]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, child in node.value:
        where = _where(key, filename)
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(where, "a key must be a single word"))
        elif key.value in found:
            first = found[key.value].where.rpartition(":")[2]
            problems.append(Problem(where, f'"{key.value}" is given twice', f"first in line {first}"))
        else:
            found[key.value] = _node(child, filename, where, problems)
    return found
