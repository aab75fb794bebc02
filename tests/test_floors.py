"""The house defends itself: imports go down the stairs, and what a room must not reach cannot be imported there.

The data comes first; each thing that is forbidden has its reason beside it. A module that no step names is a violation,
so a new file cannot escape.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import gateway

STAIRS = """
model errors values                                                  words: standard library only
addresses documents lookups signals
settings_fields
settings_source
settings
tokens passwords target                                              small pure tools
questions forwarded headers appsview messages
replies cleaning
originals handshakes
conditions credentials logins dialects direct                        the fans of judgement
appsfile policy probes
remembered                                                           memory
cache
check                                                                the product on one page
storage                                                              the world
clocks collector deadlines keepalive observe outbox
services                                                             use cases
endpoints relay streams                                              doors
app                                                                  knows everybody
asgi demo doctor schemas                                             the roof
cli
__main__
"""
"""From the bottom. Rooms of one step do not know each other; the words behind the names are for people."""

TOP_OF_JUDGEMENT = "check"
"""Up to here a check is a pure function."""

FANS = {
    "conditions": frozenset(),
    "credentials": frozenset({"credentials.cookies"}),  # the tool by which two kinds read a Cookie header, no member
    "logins": frozenset(),
    "dialects": frozenset(),
}
"""Members of a fan never import one another (but these tools): adding or removing one touches nothing else."""

FENCES: Mapping[str, tuple[frozenset[str], str]] = {
    "psycopg": (frozenset({"storage"}), "a check that cannot import the driver cannot query; SQL has one room"),
    "psycopg_pool": (frozenset({"storage"}), "one pool, so that every statement is counted and bounded"),
    "starlette": (frozenset({"endpoints", "app"}), "bytes and ASGI end at the doors; use cases run without a server"),
    "blinker": (frozenset({"signals"}), "one page says which signals there are and what they carry"),
    "uvicorn": (
        frozenset({"endpoints.express", "endpoints.front", "app", "asgi", "demo", "cli", "__main__"}),
        "the gateway runs on any ASGI server; only the fast door and the roof know this one",
    ),
    "httptools": (frozenset({"endpoints.front", "relay"}), "one reading of a message: nobody else parses HTTP"),
    "httpx2": (
        frozenset({"app", "cli.doctor"}),
        "whoever calls out is handed the client, with its limits, by the roof; the doctor knows only a function that asks",
    ),
    "os.environ": (
        frozenset({"app", "asgi", "cli", "__main__"}),
        "settings are handed in; the environment holds secrets",
    ),
}
"""What may be imported where, else why not. A name is a room or a module of it."""

NO_IO = dict.fromkeys(
    ("asyncio", "socket", "ssl", "select", "subprocess", "threading", "http.client", "urllib.request"),
    "judgement and memory do no I/O and wait for nobody, so a warm check cannot",
)
STEP = {
    room: number
    for number, line in enumerate(STAIRS.strip().splitlines())
    for room in line.partition("  ")[0].split()
    if line
}


def modules() -> dict[str, str]:
    """The source of every module of the package, by its name below ``gateway``."""
    root = Path(gateway.__file__).parent
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(root.rglob("*.py"))}
    return {name.removesuffix(".__init__"): path.read_text() for path, name in names.items() if name != "__init__"}


def violations(sources: Mapping[str, str]) -> list[str]:
    """Everything that is not as the data above says, one line each, with the reason."""
    trees = {name: ast.parse(source) for name, source in sources.items()}
    imports = {name: sorted(set(imported(tree))) for name, tree in trees.items()}
    inner = {name: {local(found, sources) for found in all_of_it} - {""} for name, all_of_it in imports.items()}
    found = [f"{name}: no step of the stairs names it" for name in trees if room(name) not in STEP]
    placed = [name for name in trees if room(name) in STEP]
    found += [line for name in placed for other in sorted(inner[name]) if (line := wrong_way(name, other))]
    found += [line for name in placed for other in imports[name] if (line := fenced(name, other))]
    found += [f"{name}: awaits, but a check waits for nobody" for name in placed if pure(name) and awaits(trees[name])]
    try:
        TopologicalSorter(inner).prepare()
    except CycleError as error:
        found.append(f"a circle of imports: {' -> '.join(error.args[1])}")
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """Every dotted name that is imported, wherever in the file, and ``os.environ`` where it is read."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert not level, "imports name the whole path"
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
                yield "os.environ"


def local(name: str, sources: Mapping[str, str]) -> str:
    """The module of ours that a dotted name is in, or nothing."""
    inside = name.removeprefix("gateway.") if name.startswith("gateway.") else ""
    while inside and inside not in sources:
        inside = inside.rpartition(".")[0]
    return inside


def room(name: str) -> str:
    return name.partition(".")[0]


def pure(name: str) -> bool:
    return STEP[room(name)] <= STEP[TOP_OF_JUDGEMENT]


def awaits(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(tree))


def wrong_way(name: str, other: str) -> str:
    if room(name) == room(other):
        if room(name) in FANS and "." in name and other not in FANS[room(name)]:
            return f"{name} imports {other}: members of a fan never import each other"
        return ""
    return "" if STEP.get(room(other), 99) < STEP[room(name)] else f"{name} imports {other}: imports go down only"


def fenced(name: str, other: str) -> str:
    for fence, (allowed, reason) in FENCES.items():
        if f"{other}.".startswith(f"{fence}.") and not {name, room(name)} & allowed:
            return f"{name} imports {other}: {reason}"
    for fence, reason in NO_IO.items():
        if f"{other}.".startswith(f"{fence}.") and pure(name):
            return f"{name} imports {other}: {reason}"
    return ""


def test_imports_go_down_the_stairs_and_stay_within_the_fences() -> None:
    assert violations(modules()) == []


def test_every_fan_and_every_fenced_room_exists() -> None:
    """A fence around a room that was renamed guards nothing."""
    rooms = {room(name) for name in modules()}
    assert set(FANS) <= rooms
    assert {TOP_OF_JUDGEMENT, "storage", "signals", "endpoints", "app"} <= rooms


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("helpers", "", "helpers: no step of the stairs names it"),
        ("model", "from gateway import errors", "model imports errors: imports go down only"),
        ("check", "def f():\n    import gateway.storage.pool", "check imports storage.pool: imports go down only"),
        ("check", "from gateway.services import recall", "check imports services.recall: imports go down only"),
        ("storage.pool", "from gateway.cache import Cache", ""),
        ("storage.pool", "from gateway.app import Gateway", "storage.pool imports app: imports go down only"),
        (
            "conditions.groups",
            "from gateway.conditions.users import NAME",
            "conditions.groups imports conditions.users: members of a fan never import each other",
        ),
        ("credentials.session", "from gateway.credentials.cookies import values", ""),
        ("cache", "import psycopg_pool", "cache imports psycopg_pool: one pool"),
        ("services.users", "from psycopg.errors import UniqueViolation", "services.users imports psycopg.errors"),
        ("services.users", "import starlette.requests", "services.users imports starlette.requests"),
        ("services.users", "from blinker import signal", "services.users imports blinker.signal"),
        ("endpoints.portal", "from uvicorn import Config", "endpoints.portal imports uvicorn.Config"),
        ("endpoints.express", "from uvicorn import Config", ""),
        ("dialects.traefik", "import httptools", "dialects.traefik imports httptools"),
        ("services.users", "import httpx2", "services.users imports httpx2"),
        ("doctor.checks", "import httpx2", "doctor.checks imports httpx2"),
        ("settings", "import os\nx = os.environ['A']", "settings imports os.environ"),
        ("settings", "from os import environ", "settings imports os.environ"),
        ("policy", "import asyncio.locks", "policy imports asyncio.locks: judgement and memory do no I/O"),
        ("check", "async def f(x):\n    async with x: pass", "check: awaits"),
        ("logins.password", "async def f(x):\n    await x", "logins.password: awaits"),
    ],
)
def test_a_planted_violation_is_found(name: str, source: str, said: str) -> None:
    planted = {**dict.fromkeys(modules(), ""), name: source}
    found = [line for line in violations(planted) if line.startswith(name)]
    assert len(found) == bool(said), found
    assert found == [] or found[0].startswith(said)


def test_a_circle_of_imports_is_found() -> None:
    planted = {
        "services.users": "import gateway.services.ground",
        "services.ground": "from gateway.services import users",
    }
    assert [line for line in violations(planted) if line.startswith("a circle")]
