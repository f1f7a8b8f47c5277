"""The parts that plots have in common: a frame with axes and grid, points with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.experiments.report import scales
from clinprompt.experiments.report.looks import Look
from clinprompt.experiments.report.scales import Linear, Log
from clinprompt.experiments.report.svg import (
    element,
    line,
    marker,
    polyline,
    px,
    text_width,
    words,
)

TOP, BOTTOM = 30, 40
_TICKS = 5  # about so many numbers at an upright axis


@dataclass(frozen=True)
class Point:
    """A value with its interval, where it has one; `x` is in units of the axis."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Frame:
    """The area of a plot inside its panel, and its two scales."""

    width: float
    height: float
    left: float
    x: Linear | Log
    y: Linear

    @classmethod
    def of(
        cls,
        width: float,
        height: float,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        aside: float = 0,
        right: float = 12,
        log: bool = False,
    ) -> Frame:
        """A frame of a panel of this size whose scales have these ends.

        Args:
            aside: pixels between the upright axis's numbers and the plot area.
        """
        kind = Log if log else Linear
        left = _room(y) + aside
        return cls(
            width,
            height,
            left,
            kind(*x, left, width - right),
            Linear(*y, height - BOTTOM, TOP),
        )

    @property
    def right(self) -> float:
        """The right edge of the plot area."""
        return self.x.end

    @property
    def bottom(self) -> float:
        """The lower edge of the plot area."""
        return self.height - BOTTOM

    def grid(self, title: str, y_title: str = "") -> str:
        """Heading, horizontal lines and their numbers."""
        values = self.y.ticks(_TICKS)
        parts = [words(0, 13, title, css="h")]
        for value, label in zip(values, scales.labels(values), strict=True):
            at = self.y(value)
            parts += [
                line(self.left, at, self.right, at),
                words(self.left - 6, at + 3.5, label, anchor="end", css="a"),
            ]
        if y_title:
            middle = (TOP + self.bottom) / 2
            parts.append(words(10, middle, y_title, anchor="middle", css="s", turn=-90))
        return "".join(parts)

    def ticks(self, places: Sequence[tuple[float, str]], title: str = "") -> str:
        """The horizontal axis: `places` are (value, label)."""
        parts = [line(self.left, self.bottom, self.right, self.bottom, "axis")]
        for value, label in places:
            at = self.x(value)
            parts.append(line(at, self.bottom, at, self.bottom + 4, "axis"))
            parts.append(words(at, self.bottom + 16, label, anchor="middle", css="a"))
        if title:
            middle = (self.left + self.right) / 2
            parts.append(words(middle, self.height - 6, title, anchor="middle", css="s"))
        return "".join(parts)

    def points(
        self,
        points: Sequence[Point],
        look: Look,
        *,
        shifts: Sequence[float] | None = None,
        size: float = 4.2,
    ) -> str:
        """Points with whiskers, joined by a line; `shifts` move each aside, in pixels."""
        moved = shifts or [0.0] * len(points)
        placed = [(self.x(p.x) + by, self.y(p.y)) for p, by in zip(points, moved, strict=True)]
        parts = [polyline(placed, look)] if len(placed) > 1 else []
        for point, (x, y) in zip(points, placed, strict=True):
            if point.low is not None and point.high is not None:
                parts.append(whisker(x, self.y(point.low), x, self.y(point.high), look.css))
            parts.append(marker(x, y, look, size, point.title))
        return "".join(parts)


def _room(y: tuple[float, float]) -> float:
    """Pixels that the title and the numbers of an upright axis with these ends take."""
    numbers = scales.labels(Linear(*y, 1.0, 0.0).ticks(_TICKS))
    return max(46.0, 24.0 + max(map(text_width, numbers), default=0.0))


def whisker(x1: float, y1: float, x2: float, y2: float, css: str, width: float = 1.2) -> str:
    """An interval, upright or lying."""
    return element(
        "path",
        d=f"M{px(x1)},{px(y1)}L{px(x2)},{px(y2)}",
        class_=css,
        stroke="currentColor",
        stroke_width=width,
        stroke_opacity=0.65,
    )


def spread(number: int, step: float = 4.5) -> list[float]:
    """Sideways shifts for so many series, so that their whiskers don't cover each other."""
    return [(place - (number - 1) / 2) * step for place in range(number)]
