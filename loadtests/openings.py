"""Which runs of browsers there are, beside what, and what their numbers say. Nothing is run here."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from figures import Figure, figure
from runs import Outcome

GATEWAY, POOL = "gateway", "pool"
CAUSES = {
    "none": "neither cause",
    POOL: "(a) six checkouts",
    "key": "(b) key parsed",
    "pool+key": "(a+b) both",
    GATEWAY: "gateway",
}
CUT = ("key", "pool+key")


class Rig(NamedTuple):
    """What is between a browser and the check."""

    name: str
    parallel: int
    proxied: bool


DIRECT = Rig("check alone, HTTP/2", 100, proxied=False)
DIRECT_OLD = Rig("check alone, HTTP/1.1", 6, proxied=False)
PROXIED = Rig("through Traefik, HTTP/1.1", 6, proxied=True)


class Run(NamedTuple):
    """So many browsers open an app once, in so many seconds at most."""

    app: str
    rig: Rig
    cause: str
    browsers: int
    seconds: int

    @property
    def name(self) -> str:
        """As a figure is called."""
        return f"{self.app}, {self.browsers} at once, {self.rig.name}, {CAUSES[self.cause]}"


Outcomes = Mapping[Run, Sequence[Outcome]]


def plan(quick: bool) -> list[Run]:
    """Every run, in order. Those that a bar compares take turns. (b) answers four questions a second, whoever asks, so
    its runs are cut; one browser alone shows more of it than fifty."""
    number, alone = (25, 8) if quick else (50, 30)
    turns = [Run("actual", DIRECT, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    if quick:
        return turns + [Run("actual", DIRECT_OLD, cause, 1, alone) for cause in CUT]
    old = [Run("actual", DIRECT_OLD, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    whole = [Run("actual", PROXIED, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    cut = [Run("actual", PROXIED, cause, number, 36) for cause in CUT]
    one = [Run("actual", PROXIED, cause, 1, alone) for cause in CAUSES]
    others = [Run(app, PROXIED, cause, 15, 30) for app in ("immich", "kitchenowl") for cause in (POOL, GATEWAY)]
    return [*turns * 3, *old, *whole, *cut, *one, *others]


def figures_of(run: Run, rounds: Sequence[Outcome]) -> list[Figure]:
    """One run's rows of the table: times of all answers, good ones or not, and how many there were."""
    rows = [figure(f"{run.name}: answered as due", [each.requests - each.failures for each in rounds], "requests")]
    if any(each.failures for each in rounds):
        rows.append(figure(f"{run.name}: failed", [each.failures for each in rounds], "requests"))
    if any(each.unanswered for each in rounds):
        rows.append(figure(f"{run.name}: under way when cut", [each.unanswered for each in rounds], "requests"))
    if any(each.requests for each in rounds):
        rows += [
            figure(f"{run.name}: p50", [each.p50 for each in rounds], "ms"),
            figure(f"{run.name}: p95", [each.p95 for each in rounds], "ms"),
            figure(f"{run.name}: p99", [each.p99 for each in rounds], "ms"),
        ]
    return rows


def values(outcomes: Outcomes) -> dict[str, float]:
    """What the bars are held against, by their names. The first two: over all of the gateway's runs."""
    ours = [(run, each) for run, rounds in outcomes.items() if run.cause == GATEWAY for each in rounds]
    return {
        "answers that were not due": sum(each.failures + each.unanswered for _, each in ours),
        "queries beyond one per session": max((each.recalls or 0) - run.browsers for run, each in ours),
        "p99 / baseline (a)": statistics.median(ratios(outcomes, DIRECT)),
    }


def ratios(outcomes: Outcomes, rig: Rig) -> list[float]:
    """The gateway's p99 in that of (a), round by round."""
    ours, theirs = (p99s(outcomes, rig, cause) for cause in (GATEWAY, POOL))
    return [mine / max(other, 1.0) for mine, other in zip(ours, theirs, strict=True)]


def p99s(outcomes: Outcomes, rig: Rig, cause: str) -> list[float]:
    """Actual Budget's, opened by many, round by round."""
    found = [rounds for run, rounds in outcomes.items() if run[:3] == ("actual", rig, cause) and run.browsers > 1]
    return [each.p99 for each in found[0]] if found else []


def notes(outcomes: Outcomes) -> list[str]:
    """What a reader has to know beside the figures."""
    said = [
        "each browser opens its app once, cold; (a) and the gateway have a pool of four, and commits wait for the disk",
        "'neither cause' is the other endpoint on a plain uvicorn with nothing left to do: its times are those of locust"
        " itself, and through Traefik those of Traefik and the app; no check can show less in this table",
        "the bar is held against checks asked for directly, as over HTTP/2: through Traefik the instrument is all there is",
        "what Traefik does not hear of within 30 s has failed; runs with (b) are cut, and their times are of what came",
    ]
    return said + [told for rig in (DIRECT, DIRECT_OLD, PROXIED) for told in compared(outcomes, rig)]


def compared(outcomes: Outcomes, rig: Rig) -> Iterator[str]:
    """One line of ratios, where that was measured."""
    ours, floor, theirs = (p99s(outcomes, rig, cause) for cause in (GATEWAY, "none", POOL))
    if ours and floor and theirs:
        least = statistics.median(floor) / max(statistics.median(theirs), 1.0)
        mine = statistics.median(ratios(outcomes, rig))
        yield f"p99 / baseline (a), {rig.name}: gateway {mine:.2f}, neither cause {least:.2f}"
