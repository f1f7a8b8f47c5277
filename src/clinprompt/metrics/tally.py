"""Counts of each document, and the formulas that turn summed counts into scores.

Letters: D documents, K counts a document, L labels, N rows of sums (1 for the score itself, R for
R bootstrap resamples). A metric is a function of summed counts, ``[N, K] -> [N]``, so all
resamples are scored in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Measure = Callable[[Array], Array]


class Counts(NamedTuple):
    """True positives, false positives and false negatives, each [N, L] (or [N], summed)."""

    tp: Array
    fp: Array
    fn: Array

    def summed(self, keep: NDArray[np.bool_] | None = None) -> Counts:
        """Sums over the labels [N], or over those where `keep` [L] is true."""
        if keep is None:
            return Counts(self.tp.sum(-1), self.fp.sum(-1), self.fn.sum(-1))
        return Counts(*(part[..., keep].sum(-1) for part in self))


Table = Callable[[Array], Counts]


def ratio(part: Array, whole: Array, otherwise: Array | float) -> Array:
    """``part / whole`` elementwise, and `otherwise` where `whole` is 0. `whole` holds counts."""
    return np.where(whole > 0, part / np.maximum(whole, 1), otherwise)


def precision(counts: Counts) -> Array:
    """tp / (tp + fp); nothing predicted is 1 if there was nothing to find, else 0."""
    return ratio(counts.tp, counts.tp + counts.fp, (counts.fn == 0).astype(float))


def recall(counts: Counts) -> Array:
    """tp / (tp + fn); nothing to find is 1 if nothing was predicted, else 0."""
    return ratio(counts.tp, counts.tp + counts.fn, (counts.fp == 0).astype(float))


def f1(counts: Counts) -> Array:
    """2 tp / (2 tp + fp + fn); 1 if there was nothing to find and nothing predicted."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, 1.0)


def macro_f1(counts: Counts) -> Array:
    """Mean F1 over the labels that stand in gold or predictions [N]; 1 if none does."""
    present = (counts.tp + counts.fp + counts.fn) > 0
    return ratio((f1(counts) * present).sum(-1), present.sum(-1), 1.0)


@dataclass(frozen=True)
class CountBlock:
    """3 L neighbouring columns of a row of counts: tp, fp and fn of each label.

    Attributes:
        labels: the L labels in the order of the columns.
        start: the first column.
    """

    labels: tuple[str, ...]
    start: int = 0

    @property
    def stop(self) -> int:
        """One past the last column."""
        return self.start + 3 * len(self.labels)

    def __call__(self, totals: Array) -> Counts:
        """The counts in `totals` [N, K]."""
        parts = totals[:, self.start : self.stop].reshape(len(totals), 3, len(self.labels))
        return Counts(parts[:, 0], parts[:, 1], parts[:, 2])

    def add(self, row: Array, label: str, *, tp: int, fp: int, fn: int) -> None:
        """Add one item's counts of `label` to its document's row [K], in place."""
        column, step = self.start + self.labels.index(label), len(self.labels)
        for offset, count in enumerate((tp, fp, fn)):
            row[column + offset * step] += count

    def measures(self, name: str, suffix: str = "") -> dict[str, Measure]:
        """Micro precision, recall and F1 and macro F1, named ``<name>_f1<suffix>`` and so on."""
        return {
            f"{name}_f1{suffix}": lambda totals: f1(self(totals).summed()),
            f"{name}_precision{suffix}": lambda totals: precision(self(totals).summed()),
            f"{name}_recall{suffix}": lambda totals: recall(self(totals).summed()),
            f"{name}_f1{suffix}_macro": lambda totals: macro_f1(self(totals)),
        }


@dataclass(frozen=True)
class Tally:
    """All that scoring needs to know of a set of answers.

    Attributes:
        rows: the counts of each document [D, K].
        measures: metric name -> formula over summed counts, in 0..1.
        tables: way of matching -> the counts of each label.
        labels: the L labels of those tables.
        counts: totals to report beside the scores.
        confusion: gold label -> predicted label -> number, for closed answers.
    """

    rows: Array
    measures: Mapping[str, Measure]
    tables: Mapping[str, Table] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] | None = None
