"""The README's figures, out of the file that the last whole run wrote: nobody types a number.

python loadtests/readme.py, after make bench.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from figures import Bar
from tables import number, verdict

HERE = Path(__file__).parent
RESULTS, README = HERE / "results" / "latest.json", HERE.parent / "README.md"
BEGIN, END = "<!-- figures: python loadtests/readme.py -->", "<!-- end of figures -->"


@click.command()
def main() -> None:
    """Write them into the README."""
    README.write_text(written(README.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


def written(readme: str, results: Mapping[str, Any]) -> str:
    """``readme`` with the figures of ``results`` between the two marks."""
    before, _, rest = readme.partition(BEGIN)
    return "\n".join([before + BEGIN, "", *lines(results), "", END + rest.partition(END)[2]])


def lines(results: Mapping[str, Any]) -> list[str]:
    """Every bar, as a table, and where it was run."""
    machine, sections = results["machine"], results["sections"]
    bars = [(section["title"], bar_of(bar)) for section in sections.values() for bar in section["bars"]]
    held = sum(verdict(bar) == "held" for _, bar in bars)
    where = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, {results['at'][:10]}"
    return [
        f"{held} of {len(bars)} bars held ({where}):",
        "",
        "| | measured | bar | |",
        "|---|---|---|---|",
        *[row(title, bar) for title, bar in bars],
    ]


def bar_of(data: Mapping[str, Any]) -> Bar:
    """One of the file's bars."""
    return Bar(data["name"], data["value"], data["bound"], data["at_least"], data["reason"])


def row(title: str, bar: Bar) -> str:
    """One line of the table."""
    measured = "-" if bar.value is None else number(bar.value)
    bound = f"{'at least' if bar.at_least else 'at most'} {number(bar.bound)}"
    why = f": {bar.reason}" if bar.value is None else ""
    return f"| {title}: {bar.name} | {measured} | {bound} | {verdict(bar)}{why} |"


if __name__ == "__main__":
    main()
