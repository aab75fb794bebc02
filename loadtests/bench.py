"""Every measurement, one after the other: a table with each bar's verdict, a JSON file, a chart.

python loadtests/bench.py [--quick] [--only NAME ...]. A member that fails does not end the run: its bars are "not run",
with the reason. Exit code 1 where a bar was not held; Ctrl-C leaves nothing behind.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import charts
import click
import machine
import tables
from figures import Section, Tell, as_data
from measures import FAN, Member

from gateway.cli.serve import orderly_end

HERE = Path(__file__).parent
UNIT = "x bare uvicorn"
Measure = Callable[[bool, Tell], Section]


@click.command()
@click.option("--quick", is_flag=True, help="Fewer rounds, smaller numbers: some minutes.")
@click.option("--only", multiple=True, metavar="NAME", help=f"May be repeated: {', '.join(FAN)}.")
@click.option("--results", default=str(HERE / "results"), metavar="DIR", help="Where the files go.", show_default=False)
def main(quick: bool, only: Sequence[str], results: str) -> None:
    """Measure, print, write."""
    if unknown := [name for name in only if name not in FAN]:
        raise click.UsageError(f"there is no measurement {unknown[0]}; there are {', '.join(FAN)}")
    code = 130
    with orderly_end():
        code = bench({name: FAN[name] for name in only or FAN}, quick, Path(results))
    sys.exit(code)


def bench(members: Mapping[str, Member], quick: bool, results: Path) -> int:
    """The run; its exit code."""
    facts = machine.described()
    click.echo("\n".join(f"{name}: {said}" for name, said in facts.items()))
    click.echo(f"load average before: {(before := machine.load_average())}")
    sections = run(members, quick, Progress(len(members)))
    loads = {"load average before": before, "load average after": machine.load_average()}
    click.echo("\n".join(tables.lines(sections)))
    click.echo(f"\nload average after: {loads['load average after']}")
    whole = len(members) == len(FAN)
    for file in write(results, "quick" if quick and whole else "latest" if whole else "part", sections, facts | loads):
        click.echo(f"written: {file}")
    return 1 if any(tables.verdict(bar) == "NOT HELD" for part in sections.values() for bar in part.bars) else 0


def run(members: Mapping[str, Member], quick: bool, progress: Progress) -> dict[str, Section]:
    """Every member's section, in order, whatever becomes of each."""
    sections = {}
    for name, member in members.items():
        progress.begin(name)
        sections[name] = one(name, member, quick, progress.tell)
        progress.end()
    return sections


def one(name: str, member: Member, quick: bool, tell: Tell) -> Section:
    """One member's section. What it did to this process's cores is undone."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        measure: Measure = importlib.import_module(f"measures.{name}").measure
        return measure(quick, tell)
    except (Exception, SystemExit) as error:  # whatever goes wrong in one, the others are worth having
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        details = traceback.format_exc().splitlines()[-12:]
        return Section(member.title, (), member.unmeasured(reason), [f"failed: {reason}", *details])
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


class Progress:
    """One line that changes on a terminal; elsewhere a line for each member."""

    def __init__(self, number: int) -> None:
        self._number, self._place, self._began, self._name = number, 0, 0.0, ""
        self._live = sys.stderr.isatty()

    def begin(self, name: str) -> None:
        """The next member."""
        self._place, self._name, self._began = self._place + 1, name, time.monotonic()
        if not self._live:
            click.echo(f"[{self._place}/{self._number}] {name}", err=True)

    def tell(self, said: str) -> None:
        """How far it is."""
        if self._live:
            filled = round(20 * (self._place - 1) / self._number)
            line = f"[{'#' * filled}{'.' * (20 - filled)}] {self._name} {self._elapsed()}: {said}"
            click.echo(f"\r\x1b[K{line[:110]}", nl=False, err=True)

    def end(self) -> None:
        """It is done."""
        if self._live:
            click.echo("\r\x1b[K", nl=False, err=True)
        click.echo(f"[{self._place}/{self._number}] {self._name}: {self._elapsed()}", err=True)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"


def write(directory: Path, name: str, sections: Mapping[str, Section], facts: Mapping[str, str]) -> Iterable[Path]:
    """The files; the chart only where there is something to show."""
    directory.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": dict(facts)}
    data["sections"] = {name: as_data(section) for name, section in sections.items()}
    file = directory / f"{name}.json"
    file.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    yield file
    shown = charts.panels([figure for section in sections.values() for figure in section.figures], UNIT)
    if shown:
        subtitle = f"{facts['processor']}, Python {facts['python']}, uvicorn {facts['uvicorn']}, {facts['commit']}"
        chart = directory / f"{name}.svg"
        chart.write_text(charts.svg("Checks a second, one core; bare uvicorn = 1", subtitle, shown), "utf-8")
        yield chart


if __name__ == "__main__":
    main()
