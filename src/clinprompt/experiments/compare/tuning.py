"""Choosing learning rates: every method tries its whole grid, and dev decides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import Try
from clinprompt.experiments.compare.fitting import Tried, average_of, clear, tried
from clinprompt.experiments.compare.plan import CellPlan
from clinprompt.experiments.compare.world import World


@dataclass(frozen=True)
class Choice:
    """The rates that were chosen.

    Attributes:
        number: their place in the grid.
        tries: all tries; losses are means over the fittings they were tried on.
        own: seconds and examples of a target spent on tries by the fittings, chosen one left out.
    """

    number: int
    tries: list[Try] = field(default_factory=list)
    seconds: float = 0.0
    examples: int = 0


def choose(world: World, cell: CellPlan) -> Choice:
    """The rates of a cell: of the try with the lowest dev loss.

    Over several targets the losses of each are put in relation to the best try there, since one
    target's nats are not another's; the lowest mean wins. A try that failed anywhere is out. Where
    states are chosen by the target's metric, so are rates: the highest mean over the targets wins,
    and losses decide between equals.

    Where tries are averaged, nothing is chosen: the number is `fitting.average_of`.

    Raises:
        ClinpromptError: CP-EXP-124 all tries failed.
    """
    count = len(cell.unit.entry.settings.rates)
    if not cell.tuned_on:
        return Choice(0)
    table = [[tried(world, unit, number) for number in range(count)] for unit in cell.tuned_on]
    columns = [[row[number] for row in table] for number in range(count)]
    if cell.unit.entry.averages and any(one.failed is None for one in table[0]):
        return Choice(average_of(cell.unit), [_joined(column) for column in columns])
    ranks = [(-_score(column), _relative_loss(column, table)) for column in columns]
    best = min(range(count), key=lambda number: (*ranks[number], number))
    if math.isinf(ranks[best][1]):
        first = next(one.failed for row in table for one in row if one.failed is not None)
        raise ClinpromptError(
            "CP-EXP-124",
            f"training failed with every one of the {count} sets of rates; the first: "
            f"{first.message}",
            hint="lower the rates in the method's grid",
        )
    for unit in cell.tuned_on:
        for number in range(count):
            if number != best:
                clear(world, unit, number)
    others = [one for row in table for number, one in enumerate(row) if number != best]
    mine = cell.unit in cell.tuned_on  # only these cells paid for it
    return Choice(
        best,
        [_joined(column) for column in columns],
        seconds=sum(one.seconds for one in others) if mine else 0.0,
        examples=sum(one.fit.get("examples_seen", 0) for one in others) if mine else 0,
    )


def _score(column: list[Tried]) -> float:
    """Mean metric of a try over the targets; below all others where it failed."""
    if any(one.failed is not None for one in column):
        return -math.inf
    return sum(one.dev_score or 0.0 for one in column) / len(column)


def _relative_loss(column: list[Tried], table: list[list[Tried]]) -> float:
    total = 0.0
    for one, row in zip(column, table, strict=True):
        losses = [other.dev_loss for other in row if other.dev_loss is not None]
        if one.dev_loss is None:
            return math.inf
        total += one.dev_loss / max(min(losses), 1e-9)
    return total / len(column)


def _joined(column: list[Tried]) -> Try:
    return Try(
        rates=column[0].rates,
        dev_loss=_mean([one.dev_loss for one in column]),
        dev_score=_mean([one.dev_score for one in column]),
        seconds=sum(one.seconds for one in column),
        failed=next((one.failed for one in column if one.failed is not None), None),
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
