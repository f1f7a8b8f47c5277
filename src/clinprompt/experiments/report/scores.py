"""The paper-shaped table: methods x targets at each number of shots, with averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from clinprompt.experiments.compare.cell import Main, Shots
from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.reading import Results, Slot, shots_text
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Group,
    Section,
    Table,
    Text,
    interval,
    number,
    plural,
)


@dataclass(frozen=True)
class Score:
    """A mean over the seeds of a place, or over targets of such means; 0 to 100.

    Attributes:
        value: None if no cell is finished, or, for an average over targets, if one is not.
        low, high: the 95 % interval over test examples; None where there is no value.
        done, planned: cells, one a seed.
        failed: how many of the cells without result failed (the others were not run).
        seeds: the values of the seeds, in their order; of an average, each seed's own average.
    """

    value: float | None
    low: float | None
    high: float | None
    done: int
    planned: int
    failed: int = 0
    seeds: tuple[float, ...] = ()

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, as of a sample; None with fewer than two."""
        return stdev(self.seeds) if len(self.seeds) > 1 else None

    @property
    def whole(self) -> bool:
        """Whether every planned cell is finished."""
        return self.done == self.planned


@dataclass(frozen=True)
class Scores:
    """Scores of a comparison by place."""

    results: Results

    def at(self, backbone: str, target: str | None, method: str, shots: Shots) -> Score | None:
        """The score of a place, or its average over all targets (None); None if none is planned.

        A place's interval is the mean of its seeds' intervals: seeds answer the same test examples,
        so more seeds make it no narrower.
        """
        if target is None:
            return self._average(backbone, method, shots)
        slots = self.results.seeds(backbone, target, method, shots)
        if not slots:
            return None
        found = [m for slot in slots if (m := _main(slot)) is not None]
        failed = sum(slot.status in ("failed", "outdated") for slot in slots)
        if not found:
            return Score(None, None, None, 0, len(slots), failed)
        return Score(
            fmean(main.value for main in found),
            fmean(main.low for main in found),
            fmean(main.high for main in found),
            len(found),
            len(slots),
            failed,
            tuple(main.value for main in found),
        )

    def _average(self, backbone: str, method: str, shots: Shots) -> Score | None:
        """The mean over targets, where every cell of every target is finished.

        Test sets of different targets are independent, so the arms of their intervals are added
        in squares.
        """
        targets = self.results.targets
        found = [self.at(backbone, target, method, shots) for target in targets]
        there = [one for one in found if one is not None]
        if not there:
            return None
        done, planned = sum(o.done for o in there), sum(o.planned for o in there)
        failed = sum(o.failed for o in there)
        if len(there) < len(targets) or done < planned:
            return Score(None, None, None, done, planned, failed)
        value = fmean(o.value or 0.0 for o in there)
        down = math.sqrt(sum(((o.value or 0) - (o.low or 0)) ** 2 for o in there)) / len(there)
        up = math.sqrt(sum(((o.high or 0) - (o.value or 0)) ** 2 for o in there)) / len(there)
        columns = list(zip(*(o.seeds for o in there), strict=False))
        same = len({len(o.seeds) for o in there}) == 1  # else a seed's average would leave some out
        own = tuple(fmean(column) for column in columns) if same else ()
        return Score(value, value - down, value + up, done, planned, failed, own)

    def parameters(self, backbone: str, method: str, shots: Shots) -> float | None:
        """Trainable parameters of one target, the mean over finished cells."""
        found = [
            slot.done.parameters.trainable
            for target in self.results.targets
            for slot in self.results.seeds(backbone, target, method, shots)
            if slot.done is not None and slot.done.parameters is not None
        ]
        return fmean(found) if found else None


def _main(slot: Slot) -> Main | None:
    return None if slot.done is None else slot.done.main


def scores_section(results: Results, scores: Scores) -> Section:
    """One table a backbone; full data first, zero shots last."""
    seeds = sorted({slot.plan.key.seed for slot in results.slots})
    blocks: list[AnyBlock] = [
        Text(
            "Main metric of each target on its test examples (0 to 100) with the 95 % bootstrap "
            "interval over test examples"
            + (
                f"; means over the finished ones of {len(seeds)} seeds (± their standard deviation)"
                if len(seeds) > 1
                else "; one seed, so nothing is known about the spread over seeds"
            )
            + ". The best score of a column among those there is bold (and means no more "
            "than that: see the differences below). An average stands only where every target's "
            "cell is finished; otherwise it says how many are."
        )
    ]
    for backbone in results.backbones:
        blocks.append(_table(results, scores, backbone))
    return Section("scores", "Scores", tuple(blocks))


def _table(results: Results, scores: Scores, backbone: str) -> Table:
    targets: list[str | None] = [None, *results.targets]
    columns = [
        Column("Method", number=False),
        Column("Average", plural(len(results.targets), "target")),
        *(Column(target, results.metric(target)) for target in results.targets),
    ]
    groups = []
    for shots in reversed(results.shots):
        methods = [m for m in results.methods if results.planned(backbone, m, shots)]
        found = {
            method: [scores.at(backbone, target, method, shots) for target in targets]
            for method in methods
        }
        best = [_best(column) for column in zip(*found.values(), strict=True)]
        rows = [
            (
                Cell(results.title(method), look=look(results.number(method))),
                *(
                    score_cell(score, top, average=target is None)
                    for score, top, target in zip(found[method], best, targets, strict=True)
                ),
            )
            for method in methods
        ]
        if rows:
            groups.append(Group(shots_text(shots).capitalize(), tuple(rows)))
    return Table(f"Scores, {backbone}", tuple(columns), tuple(groups))


def _best(column: Sequence[Score | None]) -> float | None:
    """The highest value as it is shown; ties are all best. None if only one is there."""
    values = [one.value for one in column if one is not None and one.value is not None]
    return max(round(value, 1) for value in values) if len(values) > 1 else None


def score_cell(score: Score | None, best: float | None = None, *, average: bool = False) -> Cell:
    """A score in a table: value, interval, spread over seeds; or why there is none."""
    if score is None:
        return Cell("–", kind="absent", hint="not planned")
    if score.value is None:
        if average and score.done:
            return Cell("–", f"{score.done} of {score.planned} cells", "missing")
        if score.failed:
            return Cell("failed", f"{score.failed} of {score.planned}", "failed")
        return Cell("missing", "", "missing")
    small = interval(score.low, score.high)
    if score.spread is not None:
        small += f" ±{number(score.spread)}"
    if not score.whole:
        small += f" {score.done} of {score.planned} seeds"
    hint = ", ".join(number(value) for value in score.seeds) if len(score.seeds) > 1 else ""
    top = best is not None and round(score.value, 1) == best
    return Cell(number(score.value), small, "best" if top else "", f"seeds: {hint}" if hint else "")
