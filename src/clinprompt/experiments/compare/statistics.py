"""Numbers of a finished or unfinished comparison: means and spreads, paired differences, wins.

The computing is that of the report (`experiments.report.scores` and `gaps`), so the two never
disagree; this is the way to it for programs and for the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.gaps import Gap, Gaps
from clinprompt.experiments.report.reading import Results, read
from clinprompt.experiments.report.scores import Score, Scores


@dataclass(frozen=True)
class Place:
    """A method on a target, or on all of them on average, at some shots.

    Attributes:
        target: None for the average over all targets.
        mean: of the seeds; None if no cell is done, or for an average if any is not.
        spread: standard deviation over the seeds; None with fewer than two.
        low, high: 95 % interval over test examples.
        done, planned: how many cells there are and should be.
    """

    backbone: str
    target: str | None
    method: str
    shots: Shots
    mean: float | None
    spread: float | None
    low: float | None
    high: float | None
    done: int
    planned: int


@dataclass(frozen=True)
class Versus:
    """A method against another one at the same shots.

    Attributes:
        average: mean difference over the targets with its paired 95 % interval, of the seeds that
            both have on every target (`seeds` of `planned`); None if there is none.
        targets: difference of each target that both have; the interval decides the outcome.
        outcomes: how many targets are a win, a loss, a tie, or open (no interval).
    """

    backbone: str
    method: str
    reference: str
    shots: Shots
    average: Gap | None
    targets: dict[str, Gap]
    outcomes: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """All places and comparisons; `missing` are the ids of planned cells without a result."""

    places: list[Place]
    versus: list[Versus]
    missing: list[str]
    problems: list[str]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self)


def paired(
    out: Path, backbone: str, target: str, method: str, reference: str, shots: Shots
) -> Gap | None:
    """A method's score minus a reference's on a target, with its paired 95 % interval.

    The bootstrap draws test documents, the same for both methods and for all seeds that both have.

    Raises:
        ClinpromptError: CP-EXP-200 to 202 for a folder without a finished cell.
    """
    return Gaps(read(out)).at(backbone, target, method, reference, shots)


def summary(out: Path) -> Summary:
    """Everything that the cells of a comparison's folder say.

    Raises:
        ClinpromptError: as `paired`.
    """
    results = read(out)
    gaps = Gaps(results)
    return Summary(
        places=list(_places(results)),
        versus=list(_versus(results, gaps)),
        missing=[slot.plan.id for slot in results.slots if slot.done is None],
        problems=list(gaps.problems),
    )


def _places(results: Results) -> Iterator[Place]:
    scores = Scores(results)
    for backbone in results.backbones:
        for shots in results.shots:
            for method in results.methods:
                for target in (*results.targets, None):
                    found = scores.at(backbone, target, method, shots)
                    if found is not None:
                        yield _place(backbone, target, method, shots, found)


def _place(backbone: str, target: str | None, method: str, shots: Shots, found: Score) -> Place:
    return Place(
        backbone,
        target,
        method,
        shots,
        found.value,
        found.spread,
        found.low,
        found.high,
        found.done,
        found.planned,
    )


def _versus(results: Results, gaps: Gaps) -> Iterator[Versus]:
    for backbone in results.backbones:
        for shots in results.shots:
            planned = [m for m in results.methods if results.planned(backbone, m, shots)]
            for method in planned:
                for reference in planned:
                    if method == reference:
                        continue
                    each = {
                        target: gap
                        for target in results.targets
                        if (gap := gaps.at(backbone, target, method, reference, shots)) is not None
                    }
                    yield Versus(
                        backbone,
                        method,
                        reference,
                        shots,
                        gaps.average(backbone, method, reference, shots),
                        each,
                        dict(Counter(gap.outcome for gap in each.values())),
                    )
