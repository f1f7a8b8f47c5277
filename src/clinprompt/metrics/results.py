"""What scoring gives back: scores, intervals, tables of labels, and comparisons.

All scores, intervals and differences are on a scale of 0 to 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clinprompt.tasks.card import Metric


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score and its 95 % bootstrap interval, all 0 to 100."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Counts and scores of one label; `support` is the number in gold."""

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """What `score` finds out about one set of answers.

    Attributes:
        task: name of the card; `version` is the card's.
        metric: the card's main metric; `value`, `low` and `high` belong to it.
        metrics: every metric that fits the card's form.
        tables: way of matching (strict, lenient, concept; label) -> label -> its scores.
        table: the way of matching that the main metric uses; None if it has no labels.
        confusion: gold label -> predicted label -> number; None unless answers are closed.
        counts: examples, documents, unanswered (unparsable as a whole), unaligned, unparsable,
            truncated, and what the form adds (mentions, duplicates, ...).
    """

    task: str
    version: int
    metric: Metric
    metrics: Mapping[str, Estimate]
    tables: Mapping[str, Mapping[str, LabelScores]]
    table: str | None
    confusion: Mapping[str, Mapping[str, int]] | None
    counts: Mapping[str, int]
    resamples: int
    seed: int

    @property
    def value(self) -> float:
        """The main metric, 0 to 100."""
        return self.metrics[self.metric].value

    @property
    def low(self) -> float:
        """Lower end of the main metric's interval."""
        return self.metrics[self.metric].low

    @property
    def high(self) -> float:
        """Upper end of the main metric's interval."""
        return self.metrics[self.metric].high

    @property
    def per_label(self) -> Mapping[str, LabelScores]:
        """The table that belongs to the main metric; empty for free text."""
        return {} if self.table is None else self.tables[self.table]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain dictionaries, the main metric's value and interval on top."""
        return {
            "task": self.task,
            "version": self.version,
            "metric": self.metric,
            **asdict(self.metrics[self.metric]),
            "metrics": {name: asdict(estimate) for name, estimate in self.metrics.items()},
            "per_label": {
                name: {label: asdict(row) for label, row in table.items()}
                for name, table in self.tables.items()
            },
            "confusion": self.confusion
            and {label: dict(row) for label, row in self.confusion.items()},
            "counts": dict(self.counts),
            "bootstrap": {"resamples": self.resamples, "seed": self.seed, "level": 0.95},
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of answers to the same examples, a against b; scores 0 to 100.

    Attributes:
        difference: `value_a` - `value_b`, with its 95 % interval `low`, `high`.
        p_value: two-sided; see `clinprompt.metrics.bootstrap.p_value`.
    """

    metric: str
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    p_value: float
    documents: int
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """All fields as a plain dictionary."""
        return asdict(self)
