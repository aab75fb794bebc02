"""The JSON Schemas of ``gateway.yaml`` and ``apps.yaml``, for editors: made from the tables that the loaders read by.

The files beside this one are what ``text`` makes, and a test holds them to it. A schema says less than the loader (an
editor cannot know which proxy is trusted), never more: what it refuses is refused at start. Only ``cli`` calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from inspect import getclosurevars
from pathlib import Path
from typing import Any, get_type_hints

from gateway import appsfile, conditions, settings, settings_fields, values
from gateway.addresses import Network
from gateway.model import App, Rule
from gateway.schemas import words

Schema = dict[str, Any]

NAMES = ("apps", "gateway")
DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know best."""

_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_SHAPES: Mapping[object, Schema] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "string", "pattern": f"^{values._DURATION.pattern}$"},
    Path: {"type": "string", "pattern": "^/"},
    Path | None: {"type": "string", "pattern": "^/"},
    tuple[str, ...]: {**_TEXTS, "minItems": 1},
    tuple[Network, ...]: _TEXTS,
    tuple[tuple[str, str], ...]: {"type": "object", "additionalProperties": _TEXT, "minProperties": 1},
}
"""What a value of the type it becomes is written as."""
_UNLIKE: Mapping[Callable[[object], Any], Schema] = {
    settings_fields.reach: {"enum": ["domain"]},
    settings_fields.cookie_domains: {"type": ["string", "array"], "items": _TEXT, "minLength": 1, "minItems": 1},
}
"""Readers that take something else than the type they make."""


def text(name: str) -> str:
    """The file's content."""
    return json.dumps(_apps() if name == "apps" else _gateway(), indent=2) + "\n"


def _gateway() -> Schema:
    sections = {name: _nullable(_object(_section(name))) for name in settings_fields.SECTIONS}
    return {"$schema": DRAFT, "title": "gateway.yaml", **_nullable(_object(sections))}


def _section(name: str) -> Schema:
    defaults = getattr(settings.Settings(), name)
    hints = get_type_hints(type(defaults))
    properties: Schema = {}
    for one in settings_fields.FIELDS:
        if one.section == name:
            described = {"description": words.SETTINGS[one.name]}
            properties[one.key] = described | _nullable(_shape(hints[one.key], one.read))
            if one.secret:
                properties[f"{one.key}_file"] = {
                    "description": f"A file that holds {one.key}.",
                    **_nullable(_SHAPES[Path]),
                }
    return properties


def _apps() -> Schema:
    apps = {"apps": _nullable({"type": "array", "items": _app()})}
    return {"$schema": DRAFT, "title": "apps.yaml", **_nullable(_object(apps))}


def _app() -> Schema:
    properties = _properties(appsfile.APP_KEYS, get_type_hints(App), words.APP)
    properties["rules"] = {
        "description": words.APP["rules"],
        **_nullable({"type": "array", "items": _rule()}),
    }
    return _object(properties, ["name", "hosts"])


def _rule() -> Schema:
    described = {key: _first_sentence(member.__doc__) for key, member in conditions.BY_KEY.items()}
    properties = _properties(appsfile.RULE_KEYS, get_type_hints(Rule), {**described, **words.RULE})
    subjects = [key for key, member in conditions.BY_KEY.items() if member.SUBJECT]
    bypass: Schema = {"properties": {"policy": {"const": "bypass"}}, "required": ["policy"]}
    pairs = [[first, other] for n, first in enumerate(appsfile.PATHS) for other in appsfile.PATHS[n + 1 :]]
    together = [{"not": {"required": pair}} for pair in pairs]
    return {
        **_object(properties, ["policy"]),
        "allOf": [*together, {"if": bypass, "then": {"not": {"anyOf": [{"required": [key]} for key in subjects]}}}],
    }


def _properties(
    keys: Mapping[str, Callable[[object], Any]], hints: Mapping[str, Any], told: Mapping[str, str]
) -> Schema:
    return {key: {"description": told[key], **_shape(hints[key], read)} for key, read in keys.items()}


def _object(properties: Schema, required: Iterable[str] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "additionalProperties": False, **needed, "properties": properties}


def _shape(hint: object, read: Callable[[object], Any]) -> Schema:
    """What a key may say: by its reader where that knows words or bounds, else by the type it becomes."""
    if read in _UNLIKE:
        return _UNLIKE[read]
    closed = getclosurevars(read).nonlocals
    if read.__qualname__.startswith(values.choice.__qualname__):
        return {"enum": list(closed["known"])}
    if read.__qualname__.startswith(values.count.__qualname__):
        return {"type": "integer", "minimum": closed["least"], "maximum": values._LARGEST}
    return _SHAPES[hint]


def _nullable(shape: Schema) -> Schema:
    """A key with nothing behind it is as if it were not there."""
    if "enum" in shape:
        return {"enum": [*shape["enum"], None]}
    kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    return {**shape, "type": [*kinds, "null"]}


def _first_sentence(docstring: str | None) -> str:
    told = " ".join((docstring or "").split()).replace("``", "")
    first, stop, _ = told.partition(". ")
    return first + stop.rstrip()
