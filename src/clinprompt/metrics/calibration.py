"""Whether confidences are probabilities of being right, and which of them to ask for.

**Expected calibration error** (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", ICML 2017, eq. 5): predictions are put into M bins of equal width, the m-th of which is
((m-1)/M, m/M]; with n predictions in all,

    ECE = sum over bins B of |B|/n * |share of right ones in B - mean confidence in B|

A confidence of 0 counts to the first bin. ECE is on a scale of 0 to 1, as confidences are.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinprompt.errors import ClinpromptError

BINS = 15  # as in the paper


@dataclass(frozen=True, slots=True)
class Judged:
    """A predicted item: how sure the model was of it, in [0, 1], and whether it is right."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """The items whose confidence lies in (low, high]; means are None where there are none."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A least confidence, and precision, recall and F1 (0 to 100) of the items that reach it."""

    value: float
    kept: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known about confidences.

    Attributes:
        ece: expected calibration error, 0 to 1.
        bins: the reliability table.
        count: items with a confidence.
        unknown: items without one, which are in no bin.
        best: the threshold with the best F1; None where nothing is dropped (closed answers, spans).
    """

    ece: float
    bins: tuple[Bin, ...]
    count: int
    unknown: int = 0
    best: Threshold | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        table = [
            {
                "low": one.low,
                "high": one.high,
                "count": one.count,
                "confidence": one.confidence,
                "accuracy": one.accuracy,
            }
            for one in self.bins
        ]
        best = self.best
        chosen = None
        if best is not None:
            chosen = {
                "threshold": best.value,
                "kept": best.kept,
                "precision": best.precision,
                "recall": best.recall,
                "f1": best.f1,
            }
        return {
            "ece": self.ece,
            "items": self.count,
            "unknown": self.unknown,
            "bins": table,
            "best": chosen,
        }


def calibration(
    items: Sequence[Judged], *, gold: int | None = None, unknown: int = 0, bins: int = BINS
) -> Calibration:
    """Reliability table and ECE, and the best threshold where there is something to find.

    Args:
        items: predicted items, each gold item found by one of them at most.
        gold: items to find; None where no threshold is looked for.
        unknown: predicted items without a confidence; they are always kept, and count as wrong in
            the scores of thresholds.
        bins: M.

    Raises:
        ClinpromptError: CP-EVAL-200 no item, CP-EVAL-201 a confidence outside 0 to 1.
    """
    if not items:
        raise ClinpromptError(
            "CP-EVAL-200", "there is no predicted item with a confidence, so nothing to calibrate"
        )
    groups: list[list[Judged]] = [[] for _ in range(bins)]
    highs = [(place + 1) / bins for place in range(bins)]
    for item in items:
        if not 0 <= item.confidence <= 1:
            raise ClinpromptError(
                "CP-EVAL-201", f"a confidence of {item.confidence:g} is not between 0 and 1"
            )
        groups[bisect_left(highs, item.confidence)].append(item)
    table, error = [], 0.0
    for place, group in enumerate(groups):
        low, high = place / bins, highs[place]
        if not group:
            table.append(Bin(low, high, 0, None, None))
            continue
        sure = math.fsum(item.confidence for item in group) / len(group)
        share = sum(item.right for item in group) / len(group)
        error += len(group) / len(items) * abs(share - sure)
        table.append(Bin(low, high, len(group), sure, share))
    best = None if gold is None else best_threshold(items, gold, unknown)
    return Calibration(error, tuple(table), len(items), unknown, best)


def best_threshold(items: Sequence[Judged], gold: int, unknown: int = 0) -> Threshold:
    """The least confidence that gives the best F1: of equally good ones the lowest.

    Args:
        items: predicted items, at least one.
        gold: items to find.
        unknown: items that are kept in any case and are wrong.

    Returns:
        A threshold that is an item's confidence: this item and all above it are kept.
    """
    found: Threshold | None = None
    right = kept = 0
    ordered = sorted(items, key=lambda item: -item.confidence)
    for place, item in enumerate(ordered):
        kept, right = kept + 1, right + item.right
        upcoming = ordered[place + 1].confidence if place + 1 < len(ordered) else None
        if upcoming == item.confidence:
            continue  # a threshold can't part them
        predicted = kept + unknown
        f1 = 200 * right / (predicted + gold)
        if found is None or f1 >= found.f1:
            recall = 100 * right / gold if gold else 0.0
            found = Threshold(item.confidence, kept, 100 * right / predicted, recall, f1)
    assert found is not None
    return found
