"""Few-shot curves: score against the number of labelled examples, one panel a target."""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.plot import Frame, Point, spread
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.scales import covering
from clinprompt.experiments.report.scores import Score, Scores
from clinprompt.experiments.report.svg import Panel, Picture, element, px
from clinprompt.experiments.report.tables import interval, number

_WIDTH, _HEIGHT = 330.0, 236.0
AVERAGE = "Average over all targets"


def few_shot_curves(results: Results, scores: Scores, backbone: str, name: str) -> Picture | None:
    """The picture of one backbone; None if there is nothing to draw a line through.

    The axis of shots is a row of places, not a scale: "full" is another number for each target.
    A method that has 0 shots alone is a dotted line across, for comparison.
    """
    if len(results.shots) < 2:
        return None
    panels, drawn = [], dict.fromkeys(results.methods, False)
    for target in (None, *results.targets):
        found = {
            method: {
                shots: one
                for shots in results.shots
                if (one := scores.at(backbone, target, method, shots)) and one.value is not None
            }
            for method in results.methods
        }
        if not any(found.values()):
            continue
        for method, values in found.items():
            drawn[method] |= bool(values)
        title = AVERAGE if target is None else target
        unit = "" if target is None else results.metric(target)
        panels.append(_panel(results, title, unit, found))
    if not panels:
        return None
    first = (
        ""
        if panels[0].title.startswith(AVERAGE)
        else (" There is no average: no method has a finished cell for every target.")
    )
    return Picture(
        name,
        f"Few-shot curves, {backbone}",
        "Main metric on test against the number of labelled examples, with 95 % intervals; means "
        "over seeds. The places on the axis are evenly spaced. A gap is a missing cell. Points of "
        "one place are moved apart to be seen." + first,
        tuple(panels),
        results.legend(m for m in results.methods if drawn[m]),
        columns=3,
    )


def _panel(results: Results, title: str, unit: str, found: dict[str, dict[Shots, Score]]) -> Panel:
    values = [
        end
        for points in found.values()
        for one in points.values()
        for end in (one.value, one.low, one.high)
        if end is not None
    ]
    places = {shots: at for at, shots in enumerate(results.shots)}
    across = covering(values, floor=0, ceiling=100)
    frame = Frame.of(_WIDTH, _HEIGHT, (-0.35, len(places) - 0.65), across)
    parts = [frame.grid(title, unit)]
    labels = [(float(at), str(shots)) for shots, at in places.items()]
    parts.append(frame.ticks(labels, "labelled examples"))
    shown = [(method, points) for method, points in found.items() if points]
    shifts = _shifts(results.shots, shown)
    for method, points in shown:
        style = look(results.number(method))
        if list(points) == [0]:
            value = points[0].value
            assert value is not None
            y = frame.y(value)
            ends = f"M{px(frame.left)},{px(y)}H{px(frame.right)}"
            parts.append(
                element(
                    "path",
                    d=ends,
                    class_=style.css,
                    stroke="currentColor",
                    stroke_dasharray="1 4",
                    stroke_opacity=0.7,
                )
            )
        for run in _runs(results.shots, points):
            drawn = [_point(results.title(method), places[s], s, points[s]) for s in run]
            moved = [shifts[method, shots] for shots in run]
            parts.append(frame.points(drawn, style, shifts=moved, size=3.5))
    return Panel(_WIDTH, _HEIGHT, f"{title}: {_said(results, shown)}", "".join(parts))


def _shifts(
    shots: Sequence[Shots], shown: Sequence[tuple[str, dict[Shots, Score]]]
) -> dict[tuple[str, Shots], float]:
    """How far each point is moved aside, in pixels: the points of one place are spread evenly."""
    found = {}
    for one in shots:
        here = [method for method, points in shown if one in points]
        found.update({(m, one): by for m, by in zip(here, spread(len(here)), strict=True)})
    return found


def _runs(shots: Sequence[Shots], points: dict[Shots, Score]) -> list[list[Shots]]:
    """Neighbouring places that have a value: a line never crosses a gap."""
    runs: list[list[Shots]] = [[]]
    for one in shots:
        if one in points:
            runs[-1].append(one)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _point(title: str, place: int, shots: Shots, score: Score) -> Point:
    assert score.value is not None
    said = f"{title}, {shots_text(shots)}: {number(score.value)} {interval(score.low, score.high)}"
    return Point(place, score.value, score.low, score.high, said.strip())


def _said(results: Results, shown: Sequence[tuple[str, dict[Shots, Score]]]) -> str:
    """The values in words, for those who can't see the picture."""
    return "; ".join(
        f"{results.title(method)} "
        + ", ".join(
            f"{number(one.value)} at {shots_text(shots)}"
            for shots, one in points.items()
            if one.value is not None
        )
        for method, points in shown
    )
