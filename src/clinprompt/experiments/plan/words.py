"""A plan for people: large numbers in few digits, and stages that are alike in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.experiments.plan.cost import Cost


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        trainable, stored, memory: the largest of the line's stages.
        runs: how many trainings or rounds of answers it stands for.
        tokens, flops, seconds: of all of them.
    """

    name: str
    trainable: int
    stored: int
    runs: int
    tokens: float
    flops: float
    memory: float
    seconds: float


def lines(stages: Sequence[Cost]) -> list[Line]:
    """Stages of one group together, in the order of each group's first."""
    groups: dict[str, list[Cost]] = {}
    for stage in stages:
        groups.setdefault(stage.group or stage.name, []).append(stage)
    return [
        Line(
            name=name,
            trainable=max(one.trainable for one in own),
            stored=max(one.stored for one in own),
            runs=sum(one.repeats for one in own),
            tokens=sum((one.text + one.prompt + one.padding) * one.repeats for one in own),
            flops=sum(one.flops * one.repeats for one in own),
            memory=max(one.memory.total for one in own),
            seconds=sum(one.seconds * one.repeats for one in own),
        )
        for name, own in groups.items()
    ]


def size(count: float) -> str:
    """Bytes in powers of 1000, three significant digits.

    >>> size(269_030_016), size(12)
    ('269 MB', '12 B')
    """
    return _scaled(count, ("B", "kB", "MB", "GB", "TB", "PB"))


def amount(count: float) -> str:
    """A count in powers of 1000.

    >>> amount(1_234_000_000_000_000)
    '1.23 P'
    """
    return _scaled(count, ("", "k", "M", "G", "T", "P", "E", "Z", "Y")).strip()


def _scaled(count: float, units: tuple[str, ...]) -> str:
    value, place = float(count), 0
    while value >= 999.5 and place < len(units) - 1:
        value, place = value / 1000, place + 1
    digits = 0 if place == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {units[place]}"


def clock(seconds: float) -> str:
    """A duration in its two largest units.

    >>> clock(3), clock(125), clock(7500), clock(200_000)
    ('3 s', '2 m 05 s', '2 h 05 m', '2 d 07 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"
