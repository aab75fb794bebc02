"""The chart: what is in it, and that it is a picture at all."""

from __future__ import annotations

from xml.etree import ElementTree

import charts
from figures import Figure

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = [
    Figure("bare uvicorn, keep-alive", 1.0, "x", 1.0, 1.0),
    Figure("session, caddy, keep-alive", 2.0, "x", 1.5, 2.5),
    Figure("session, caddy, keep-alive", 40_000.0, "/s", 1.0, 2.0),
    Figure("a <b> & c, fresh", 3.0, "x", 3.0, 3.0),
]


def test_figures_of_one_unit_make_a_panel_for_each_manner() -> None:
    found = charts.panels(FIGURES, "x")
    assert [(panel.title, [row.label for row in panel.rows]) for panel in found] == [
        ("keep-alive", ["bare uvicorn", "session, caddy"]),
        ("fresh", ["a <b> & c"]),
    ]


def test_bars_are_as_long_as_their_values() -> None:
    picture = ElementTree.fromstring(charts.svg("title", "<subtitle>", charts.panels(FIGURES, "x")))  # noqa: S314 - ours
    widths = [float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect")]
    assert len(widths) == 3
    assert [round(width / widths[0], 2) for width in widths] == [1.0, 2.0, 3.0]
    assert "a <b> & c" in [text.text for text in picture.iter(f"{SVG}text")]


def test_nothing_is_outside_of_the_picture() -> None:
    picture = ElementTree.fromstring(charts.svg("title", "subtitle", charts.panels(FIGURES, "x")))  # noqa: S314 - ours
    wide, high = float(picture.attrib["width"]), float(picture.attrib["height"])
    for bar in picture.iter(f"{SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= wide
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= high


def test_colours_are_for_light_and_for_dark_paper() -> None:
    """Neither black nor white, and no paper of its own."""
    drawn = charts.svg("title", "subtitle", charts.panels(FIGURES, "x"))
    assert "#000" not in drawn
    assert "#fff" not in drawn
    assert "background" not in drawn
