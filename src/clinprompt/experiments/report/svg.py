"""Pictures as SVG, written by hand: elements, markers, and pictures of one or more panels.

A picture is shown in two ways. Inside the page each panel is an ``svg`` of its own, so that panels
flow into as many columns as there is room for. As a file all panels stand in one ``svg``, with the
legend and a style sheet that follows light and dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from clinprompt.experiments.report.looks import Look, dark_css, picture_css

MADE_BY = "Made by clinprompt report"
# Characters that XML 1.0 forbids, and those that steer the direction of text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)
_GAP, _LEGEND_ROW = 18, 20


def plain(value: str) -> str:
    """Text for an element or attribute of XML: escaped, and without what XML can't hold."""
    return escape(_UNSEEN.sub("\ufffd", value), quote=True)


def px(value: float) -> str:
    """A coordinate: at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, content: str = "", /, **attributes: str | float | None) -> str:
    """An element. Values are escaped, `content` is not.

    Of names the underscore at the end is dropped, others become hyphens (``class_``,
    ``stroke_width``); a value None leaves the attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="'
        f'{plain(value) if isinstance(value, str) else px(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def words(
    x: float,
    y: float,
    value: str,
    *,
    anchor: str = "start",
    css: str | None = None,
    turn: float = 0,
) -> str:
    """A line of text; `turn` is its rotation in degrees around (x, y)."""
    turned = f"rotate({px(turn)} {px(x)} {px(y)})" if turn else None
    return element(
        "text",
        plain(value),
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
        class_=css,
        transform=turned,
    )


def line(x1: float, y1: float, x2: float, y2: float, css: str = "grid") -> str:
    """A straight line of the grid or an axis."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css)


def polyline(points: Sequence[tuple[float, float]], look: Look, width: float = 1.8) -> str:
    """A line through points, in the look's colour and dashes."""
    return element(
        "polyline",
        points=" ".join(f"{px(x)},{px(y)}" for x, y in points),
        class_=look.css,
        fill="none",
        stroke="currentColor",
        stroke_width=width,
        stroke_dasharray=look.dash or None,
        stroke_linejoin="round",
    )


def marker(
    x: float,
    y: float,
    look: Look,
    size: float = 4.2,
    title: str = "",
    *,
    css: str | None = None,
) -> str:
    """A point in the look's shape and colour, or in the colour of the class `css`.

    `title` is shown when the mouse rests on it.
    """
    inside = element("title", plain(title)) if title else ""
    common: dict[str, str | float | None] = {"class_": css or look.css, "fill": "currentColor"}
    if look.marker in ("circle", "ring"):
        if look.marker == "ring":
            common |= {"fill": "none", "stroke": "currentColor", "stroke_width": 2.0}
        return element("circle", inside, cx=x, cy=y, r=size, **common)
    return element("path", inside, d=_outline(look.marker, x, y, size), **common)


def _outline(shape: str, x: float, y: float, size: float) -> str:
    """The path of a marker with corners, about as heavy as a circle of radius `size`."""
    s, thin = size * 1.15, size * 0.42
    if shape in ("plus", "cross"):
        corners = [(-thin, -s), (thin, -s), (thin, -thin), (s, -thin), (s, thin), (thin, thin)]
        corners += [(-a, -b) for a, b in corners]
        angle = math.pi / 4 if shape == "cross" else 0.0
        cos, sin = math.cos(angle), math.sin(angle)
        corners = [(a * cos - b * sin, a * sin + b * cos) for a, b in corners]
    else:
        corners = {
            "square": [
                (-s * 0.85, -s * 0.85),
                (s * 0.85, -s * 0.85),
                (s * 0.85, s * 0.85),
                (-s * 0.85, s * 0.85),
            ],
            "diamond": [(0, -s * 1.2), (s * 1.2, 0), (0, s * 1.2), (-s * 1.2, 0)],
            "triangle": [(0, -s * 1.15), (s * 1.1, s * 0.85), (-s * 1.1, s * 0.85)],
            "down": [(0, s * 1.15), (s * 1.1, -s * 0.85), (-s * 1.1, -s * 0.85)],
        }[shape]
    return "M" + "L".join(f"{px(x + a)},{px(y + b)}" for a, b in corners) + "Z"


def sample(x: float, y: float, look: Look, *, lined: bool = True, size: float = 4.2) -> str:
    """What a legend shows of a look: a bit of line with the marker on it."""
    stroke = polyline([(x, y), (x + 26, y)], look) if lined else ""
    return stroke + marker(x + 13, y, look, size)


@dataclass(frozen=True)
class Entry:
    """A line of a legend."""

    text: str
    look: Look


@dataclass(frozen=True)
class Panel:
    """One drawing of a picture: its size in pixels, what it shows in words, and its elements."""

    width: float
    height: float
    title: str
    body: str


@dataclass(frozen=True)
class Picture:
    """One or more panels with a common legend.

    Attributes:
        name: of the file, without ending; also the root of ids.
        title: what it is, as a heading.
        description: what it shows, in words: the caption, and what screen readers say.
        panels: in the order of reading.
        columns: how many panels stand side by side in the file.
        lined: whether the legend shows lines.
        fluid: whether a panel may shrink with the screen; wide ones scroll.
    """

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    legend: tuple[Entry, ...] = ()
    columns: int = 1
    lined: bool = True
    fluid: bool = True

    def inline(self) -> list[str]:
        """Each panel as an ``svg`` element for a page; the page has the style."""
        return [
            _svg(panel.width, panel.height, panel.title, panel.body, f"{self.name}-{number}")
            for number, panel in enumerate(self.panels)
        ]

    def file(self) -> str:
        """The whole picture as an SVG file."""
        columns = max(1, min(self.columns, len(self.panels)))
        across = max(panel.width for panel in self.panels)
        width = columns * across + (columns - 1) * _GAP
        top, legend = self._legend(width)
        body, y = [legend], top
        for first in range(0, len(self.panels), columns):
            row = self.panels[first : first + columns]
            for at, panel in enumerate(row):
                place = f"translate({px(at * (across + _GAP))} {px(y)})"
                body.append(element("g", panel.body, transform=place))
            y += max(panel.height for panel in row) + _GAP
        style = f"<style>{picture_css()}@media (prefers-color-scheme:dark){{{dark_css()}}}</style>"
        ground = element("rect", width="100%", height="100%", class_="ground")
        drawn = _svg(
            width + 24,
            y - _GAP + 24,
            f"{self.title}. {self.description}",
            style + ground + element("g", "".join(body), transform="translate(12 12)"),
            self.name,
            alone=True,
        )
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {MADE_BY} -->\n{drawn}\n'

    def _legend(self, width: float) -> tuple[float, str]:
        """Height and elements of the legend, broken into rows."""
        x, y, parts = 0.0, 10.0, []
        for entry in self.legend:
            needed = 34 + text_width(entry.text) + 20
            if x and x + needed > width:
                x, y = 0.0, y + _LEGEND_ROW
            parts.append(sample(x, y, entry.look, lined=self.lined))
            parts.append(words(x + 33, y + 4, entry.text))
            x += needed
        return (y + _LEGEND_ROW if parts else 0.0), "".join(parts)


def text_width(value: str, size: float = 11) -> float:
    """About how many pixels a text is wide; a bit too much rather than too little."""
    return sum(0.36 if c in "ijlt.,:;|!()[] 1" else 0.62 for c in value) * size


def _svg(
    width: float, height: float, title: str, body: str, name: str, *, alone: bool = False
) -> str:
    return element(
        "svg",
        element("title", plain(title), id=f"{name}-t") + body,
        xmlns="http://www.w3.org/2000/svg" if alone else None,
        class_="pic",
        viewBox=f"0 0 {px(width)} {px(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-t",
    )
