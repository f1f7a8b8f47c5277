"""A clustered heat map: a square of cosines, with the tree that orders it."""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.documents.html_colours import RGB, contrast
from clinprompt.experiments.report.looks import TYPE_NAMES, type_look
from clinprompt.experiments.report.scales import Linear, labels, minus, ticks
from clinprompt.experiments.report.similarity import Array, Join, average_linkage, order
from clinprompt.experiments.report.svg import (
    Entry,
    Panel,
    Picture,
    element,
    line,
    marker,
    plain,
    px,
    text_width,
    words,
)

_CELL, _TREE, _BAR = 27.0, 70.0, 58.0
# Dark to light (ends of matplotlib's viridis, which grows evenly in lightness), and blue to orange.
_GROWING = ((0.15, 0.13, 0.33), (0.19, 0.41, 0.56), (0.13, 0.66, 0.52), (0.99, 0.91, 0.14))
_BOTH_WAYS = ((0.01, 0.29, 0.55), (0.96, 0.96, 0.96), (0.70, 0.30, 0.0))


def heat_map(
    name: str, title: str, description: str, tasks: Sequence[tuple[str, str]], values: Array
) -> Picture:
    """The picture of a matrix of cosines.

    Args:
        name: of the file.
        title: above it.
        description: its caption; the end of the colours is added.
        tasks: name and type of each task.
        values: cosines [K, K].
    """
    count = len(tasks)
    joins = average_linkage(1 - values)
    places = order(joins, count)
    outside = [float(values[i, j]) for i in range(count) for j in range(count) if i != j]
    low, high = min(outside, default=0.0), max(outside, default=1.0)
    colours: Sequence[RGB]
    if low < 0:
        high = max(-low, high)
        low, colours = -high, _BOTH_WAYS
    else:
        colours = _GROWING
    low, high = (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)
    shade = Linear(low, high, 0, 1)
    left = max(text_width(task) for task, _ in tasks) + 24
    side = count * _CELL
    top = left
    parts = [_tree(joins, places, left + side + 8, top)]
    for row, i in enumerate(places):
        y = top + row * _CELL
        task, kind = tasks[i]
        parts.append(marker(left - 12, y + _CELL / 2, type_look(kind)))
        parts.append(words(left - 22, y + _CELL / 2 + 4, task, anchor="end"))
        x = left + (row + 0.5) * _CELL
        parts.append(marker(x, top - 12, type_look(kind)))
        parts.append(words(x + 4, top - 22, task, turn=-90))
        for column, j in enumerate(places):
            parts.append(
                _square(
                    left + column * _CELL,
                    y,
                    tasks[i][0],
                    tasks[j][0],
                    float(values[i, j]),
                    i == j,
                    shade,
                    colours,
                )
            )
    parts.append(_key(left, top + side + 16, min(side, 260), low, high, colours))
    width, height = left + side + _TREE + 14, top + side + _BAR
    kinds = dict.fromkeys(kind for _, kind in tasks)
    legend = [Entry(TYPE_NAMES.get(kind, kind), type_look(kind)) for kind in kinds]
    return Picture(
        name,
        title,
        description,
        (Panel(width, height, title, "".join(parts)),),
        tuple(legend),
        lined=False,
        fluid=False,
    )


def _square(
    x: float,
    y: float,
    row: str,
    column: str,
    value: float,
    same: bool,
    shade: Linear,
    colours: Sequence[RGB],
) -> str:
    """One cell, with its number in black or white, whichever can be read."""
    said = element("title", plain(f"{row} and {column}: {minus(f'{value:.3f}')}"))
    if same:
        return element(
            "rect",
            said,
            x=x,
            y=y,
            width=_CELL - 1,
            height=_CELL - 1,
            class_="tie",
            fill="currentColor",
            fill_opacity=0.18,
        )
    colour = blend(colours, min(1.0, max(0.0, shade(value))))
    ink = max(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), key=lambda one: contrast(one, colour))
    number = f"{value:.2f}".replace("0.", ".", 1)
    return element(
        "rect", said, x=x, y=y, width=_CELL - 1, height=_CELL - 1, fill=hexed(colour)
    ) + element(
        "text",
        minus(number),
        x=x + _CELL / 2 - 0.5,
        y=y + _CELL / 2 + 3,
        text_anchor="middle",
        style=f"fill:{hexed(ink)};font-size:8.5px",
        aria_hidden="true",
    )


def _tree(joins: Sequence[Join], places: Sequence[int], left: float, top: float) -> str:
    """The tree of joins, its leaves at the right edge of the square."""
    if not joins:
        return ""
    count = len(places)
    deepest = max(join.height for join in joins) or 1.0
    at = {task: (left, top + (row + 0.5) * _CELL) for row, task in enumerate(places)}
    parts = []
    for number, join in enumerate(joins):
        (x1, y1), (x2, y2) = at[join.left], at[join.right]
        x = left + max(0.0, join.height) / deepest * (_TREE - 12)
        parts.append(
            element(
                "path",
                d=f"M{px(x1)},{px(y1)}H{px(x)}V{px(y2)}H{px(x2)}",
                class_="axis",
                fill="none",
                stroke_width=1.2,
            )
        )
        at[count + number] = (x, (y1 + y2) / 2)
    return "".join(parts)


def _key(x: float, y: float, width: float, low: float, high: float, colours: Sequence[RGB]) -> str:
    """The scale of the colours."""
    steps = 40
    part = width / steps
    bars = [
        element(
            "rect",
            x=x + i * part,
            y=y,
            width=part + 0.5,
            height=10,
            fill=hexed(blend(colours, (i + 0.5) / steps)),
        )
        for i in range(steps)
    ]
    scale = Linear(low, high, x, x + width)
    marks = ticks(low, high, 4)
    for value, label in zip(marks, labels(marks), strict=True):
        bars.append(line(scale(value), y + 10, scale(value), y + 14, "axis"))
        bars.append(words(scale(value), y + 26, label, anchor="middle", css="a"))
    return "".join(bars) + words(x + width + 10, y + 9, "cosine", css="s")


def blend(colours: Sequence[RGB], part: float) -> RGB:
    """The colour at `part` (0 to 1) of the way through evenly spaced colours."""
    place = part * (len(colours) - 1)
    first = min(int(place), len(colours) - 2)
    rest = place - first
    a, b = colours[first], colours[first + 1]
    return (
        a[0] + (b[0] - a[0]) * rest,
        a[1] + (b[1] - a[1]) * rest,
        a[2] + (b[2] - a[2]) * rest,
    )


def hexed(colour: RGB) -> str:
    """Such as ``#0072b2``."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
