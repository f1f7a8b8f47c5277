"""Training curves: dev losses of teachers, metaprompt and adaptations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.looks import TYPE_NAMES, Look, look, type_look
from clinprompt.experiments.report.plot import Frame, Point
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.scales import covering, labels
from clinprompt.experiments.report.svg import Entry, Panel, Picture, element, polyline

_WIDTH, _HEIGHT = 330.0, 236.0
_WIDE = 500.0
_MEAN = Look(6, "circle", "")


@dataclass(frozen=True)
class Curve:
    """A line of (step, loss); `bold` ones lie on top."""

    title: str
    look: Look
    points: Sequence[tuple[float, float]]
    bold: bool = True


@dataclass
class _Found:
    panels: list[Panel] = field(default_factory=list)
    legend: dict[str, Look] = field(default_factory=dict)


def source_curves(
    results: Results, backbone: str, types: Mapping[str, str], name: str
) -> Picture | None:
    """Teachers and metaprompt of a backbone, from the metaprompt's own records; None without any.

    Args:
        results: the comparison.
        backbone: its id.
        types: type of each source task.
        name: of the picture.
    """
    source = results.sources.get(backbone)
    found = _Found()
    for key, title in (("teachers", "Teachers"), ("distil", "Metaprompt")):
        history = source.metrics.get(key, {}).get("history", []) if source else []
        curves = _by_task(history, types)
        if curves:
            found.panels.append(_panel(f"{title}, dev loss", curves, width=_WIDE))
    if not found.panels:
        return None
    kinds = dict.fromkeys(types.values())
    entries = [Entry(TYPE_NAMES.get(kind, kind), type_look(kind)) for kind in kinds]
    return Picture(
        name,
        f"Source training, {backbone}",
        "Dev loss (nats per answer token) of each source task, thin and coloured by task type, and "
        "their mean, thick with points.",
        tuple(found.panels),
        (Entry("mean over tasks", _MEAN), *entries),
        columns=2,
    )


def adaptation_curves(results: Results, backbone: str, shots: Shots, name: str) -> Picture | None:
    """Adaptations at one number of shots: a panel a target, a line a method and seed."""
    panels, used = [], dict.fromkeys(results.methods, False)
    for target in results.targets:
        curves = []
        for method in results.methods:
            for slot in results.seeds(backbone, target, method, shots):
                if slot.done is None:
                    continue
                history = [point.model_dump() for point in slot.done.history]
                points = [(p["step"], p["dev"].get(target, p["dev_mean"])) for p in history]
                points = [(x, y) for x, y in points if y is not None and math.isfinite(y)]
                if points:
                    used[method] = True
                    title = f"{results.title(method)}, seed {slot.plan.key.seed}"
                    curves.append(Curve(title, look(results.number(method)), points))
        if curves:
            panels.append(_panel(target, curves))
    if not panels:
        return None
    return Picture(
        name,
        f"Adaptation at {shots_text(shots)}, {backbone}",
        "Dev loss of the target (nats per answer token) against updates; one line a method and "
        "seed. Losses of different methods start apart, since some start from a metaprompt.",
        tuple(panels),
        results.legend(m for m in results.methods if used[m]),
        columns=3,
    )


def _by_task(history: Sequence[Any], types: Mapping[str, str]) -> list[Curve]:
    """A curve for each task of a history, and their mean."""
    tasks: dict[str, list[tuple[float, float]]] = {}
    mean = []
    for point in history:
        if not isinstance(point, Mapping) or not isinstance(point.get("dev"), Mapping):
            continue
        for task, loss in point["dev"].items():
            if _number(loss):
                tasks.setdefault(str(task), []).append((float(point["step"]), float(loss)))
        if _number(point.get("dev_mean")):
            mean.append((float(point["step"]), float(point["dev_mean"])))
    curves = [
        Curve(task, type_look(types.get(task, "")), points, bold=False)
        for task, points in tasks.items()
    ]
    return [*curves, Curve("mean over tasks", _MEAN, mean)] if mean else curves


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _panel(title: str, curves: Sequence[Curve], width: float = _WIDTH) -> Panel:
    steps = [x for curve in curves for x, _ in curve.points]
    losses = [y for curve in curves for _, y in curve.points]
    frame = Frame.of(
        width,
        _HEIGHT,
        (min(steps), max(steps) if max(steps) > min(steps) else min(steps) + 1),
        covering(losses, floor=0),
        right=16,
    )
    marks = frame.x.ticks()
    parts = [
        frame.grid(title, "dev loss"),
        frame.ticks(list(zip(marks, labels(marks), strict=True)), "updates"),
    ]
    for curve in curves:
        if curve.bold:
            points = [Point(x, y, title=f"{curve.title}, {x:g}: {y:.3f}") for x, y in curve.points]
            parts.append(frame.points(points, curve.look))
        else:
            placed = [(frame.x(x), frame.y(y)) for x, y in curve.points]
            drawn = polyline(placed, curve.look, 1.1)
            parts.append(element("g", drawn, opacity=0.75))
    ends = "; ".join(
        f"{curve.title} {curve.points[0][1]:.2f} to {curve.points[-1][1]:.2f}" for curve in curves
    )
    return Panel(width, _HEIGHT, f"{title}: {ends}", "".join(parts))
