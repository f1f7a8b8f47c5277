"""Score against trainable parameters, on a logarithmic axis with a place of its own for none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.plot import BOTTOM, TOP, Frame, whisker
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.scales import Linear, covering, covering_log, short
from clinprompt.experiments.report.scores import Score, Scores
from clinprompt.experiments.report.svg import (
    Panel,
    Picture,
    line,
    marker,
    text_width,
    words,
)
from clinprompt.experiments.report.tables import interval, number

_WIDTH, _HEIGHT, _NONE = 500.0, 300.0, 58.0


@dataclass(frozen=True)
class _Dot:
    method: str
    parameters: float
    score: Score


def score_against_parameters(
    results: Results, scores: Scores, backbone: str, name: str
) -> Picture | None:
    """A panel for each number of shots where two methods or more have an average."""
    panels, used = [], dict.fromkeys(results.methods, False)
    for shots in reversed(results.shots):
        dots, lacking = [], []
        for method in results.methods:
            score = scores.at(backbone, None, method, shots)
            if score is None:
                continue
            size = scores.parameters(backbone, method, shots)
            if score.value is None or size is None:
                lacking.append(results.title(method))
            else:
                dots.append(_Dot(method, size, score))
                used[method] = True
        if len(dots) > 1 and any(dot.parameters for dot in dots):
            panels.append(_panel(results, shots, dots, lacking))
    if not panels:
        return None
    return Picture(
        name,
        f"Score against trainable parameters, {backbone}",
        "Average of the main metrics over all targets, with 95 % intervals, against the parameters "
        "trained for one target (mean over cells; logarithmic axis, and a place at the left for "
        "methods that train none). Only methods with every cell finished have an average.",
        tuple(panels),
        results.legend(m for m in results.methods if used[m]),
        columns=2,
        lined=False,
    )


def _panel(results: Results, shots: Shots, dots: Sequence[_Dot], lacking: Sequence[str]) -> Panel:
    sizes = [dot.parameters for dot in dots if dot.parameters > 0]
    none = any(not dot.parameters for dot in dots)
    ends = [e for d in dots for e in (d.score.value, d.score.low, d.score.high) if e is not None]
    aside = _NONE if none else 0.0
    frame = Frame.of(
        _WIDTH,
        _HEIGHT,
        covering_log(sizes),
        covering(ends, floor=0, ceiling=100),
        aside=aside,
        right=16,
        log=True,
    )
    margin = frame.left - aside
    title = f"{shots_text(shots)}".capitalize()
    wide = Frame(_WIDTH, _HEIGHT, margin, Linear(0, 1, margin, frame.right), frame.y)
    parts = [wide.grid(title, "average score")]
    marks = [(value, short(value)) for value in frame.x.ticks()]
    parts.append(frame.ticks(marks, "trainable parameters"))
    if lacking:
        names = f"cells missing: {', '.join(lacking)}"
        parts.append(words(frame.right, 13, names, anchor="end", css="s"))
    if none:
        at = margin + _NONE / 2 - 6
        parts.append(line(margin, frame.bottom, margin + _NONE - 14, frame.bottom, "axis"))
        parts.append(words(at, frame.bottom + 16, "none", anchor="middle", css="a"))
    for number_, dot in enumerate(d for d in dots if not d.parameters):
        parts.append(_dot(results, dot, margin + 12 + 14 * (number_ % 3), frame))
    for dot in dots:
        if dot.parameters > 0:
            parts.append(_dot(results, dot, frame.x(dot.parameters), frame))
    parts.append(_names(results, dots, frame))
    said = "; ".join(
        f"{results.title(d.method)} {number(d.score.value or 0)} with {short(d.parameters)}"
        for d in dots
    )
    if lacking:
        said += f". Without average: {', '.join(lacking)}"
    return Panel(_WIDTH, _HEIGHT, f"{title}: {said}", "".join(parts))


def _dot(results: Results, dot: _Dot, x: float, frame: Frame) -> str:
    style, score = look(results.number(dot.method)), dot.score
    assert score.value is not None
    drawn = ""
    if score.low is not None and score.high is not None:
        drawn = whisker(x, frame.y(score.low), x, frame.y(score.high), style.css)
    said = (
        f"{results.title(dot.method)}: {number(score.value)} {interval(score.low, score.high)}, "
        f"{short(dot.parameters)} parameters"
    )
    return drawn + marker(x, frame.y(score.value), style, 5.4, said)


def _names(results: Results, dots: Sequence[_Dot], frame: Frame) -> str:
    """A name beside each dot that trains something, where it fits without covering another."""
    taken: list[tuple[float, float, float, float]] = []
    placed = []
    for dot in sorted(dots, key=lambda one: -(one.score.value or 0)):
        if dot.parameters > 0:
            x, y = frame.x(dot.parameters), frame.y(dot.score.value or 0)
            taken.append((x - 7, y - 7, x + 7, y + 7))
            placed.append((dot, x, y))
    parts = []
    for dot, x, y in placed:
        title = results.title(dot.method)
        width = text_width(title, 10)
        for side in (1, -1):
            start = x + 11 if side > 0 else x - 11 - width
            box = (start, y - 7, start + width, y + 6)
            inside = frame.left <= box[0] and box[2] <= frame.right + 10
            inside = inside and box[1] >= TOP - 8 and box[3] <= _HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                anchor = "start" if side > 0 else "end"
                parts.append(words(x + 11 * side, y + 3.5, title, anchor=anchor, css="s"))
                break
    return "".join(parts)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
