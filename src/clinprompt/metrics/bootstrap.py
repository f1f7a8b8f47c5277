"""Percentile bootstrap over documents (Efron & Tibshirani 1993, chapter 13)."""

from __future__ import annotations

import numpy as np

from clinprompt.errors import ClinpromptError
from clinprompt.metrics.tally import Array

_CELLS = 2_000_000  # drawn document numbers held at once, 16 MB


def resample(rows: Array, resamples: int, seed: int) -> Array:
    """Sums of the rows of D documents drawn with replacement, `resamples` times.

    How often each document is drawn is a matrix W [R, D], and the sums are ``W @ rows``. W
    depends on D, `resamples` and `seed` alone: two sets of answers to the same documents are
    drawn alike.

    Args:
        rows: counts of each document [D, K].
        resamples: number R of draws.
        seed: of numpy's default generator.

    Returns:
        Sums [R, K].

    Raises:
        ClinpromptError: CP-EVAL-008 if `resamples` is below 1.
    """
    if resamples < 1:
        raise ClinpromptError("CP-EVAL-008", f"resamples must be 1 or more, not {resamples}")
    generator = np.random.default_rng(seed)
    documents = len(rows)
    step = max(1, _CELLS // documents)
    sums = np.empty((resamples, rows.shape[1]))
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        drawn = generator.integers(documents, size=(size, documents))
        drawn += documents * np.arange(size)[:, None]  # one range of numbers for each resample
        weights = np.bincount(drawn.ravel(), minlength=size * documents)
        sums[first : first + size] = weights.reshape(size, documents).astype(float) @ rows
    return sums


def interval(values: Array) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of `values` [R]."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def p_value(difference: float, draws: Array) -> float:
    """Two-sided p-value of a paired difference.

    The draws [R] are centred on the observed difference, which makes them a sample of what chance
    alone would give around 0: p = (1 + number of draws with |draw - difference| >= |difference|)
    / (R + 1). It is never 0, and 1 if the difference is 0.
    """
    tolerance = 1e-9  # sums of the same documents may differ in the last bits
    extreme = np.abs(draws - difference) >= abs(difference) - tolerance
    return float((1 + extreme.sum()) / (1 + len(draws)))
