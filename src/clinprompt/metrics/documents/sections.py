"""From counts of each document to a section: averages, intervals, tables.

Letters: D documents, L paths (what was counted), N rows of sums (1 for the score itself, R for R
bootstrap resamples).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clinprompt.metrics.bootstrap import interval, resample
from clinprompt.metrics.documents.cells import Cells, Path, all_paths
from clinprompt.metrics.documents.results import Rates, Row, Score, Section
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.tally import Array, CountBlock, Counts, f1, precision, ratio, recall

RATES: dict[str, Callable[[Counts], Array]] = {"precision": precision, "recall": recall, "f1": f1}


@dataclass(frozen=True)
class Plan:
    """What a section is made of.

    Attributes:
        name: of the section; `definition` says what counts as right.
        levels: names of a path's parts; each has a table of the paths up to there.
        gold_labels_only: whether rows without any gold are left out of the tables.
        counts: further numbers to report.
    """

    name: str
    definition: str
    levels: tuple[str, ...] = ("label",)
    gold_labels_only: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


def build(plan: Plan, ids: Sequence[str], cells: Sequence[Cells], settings: Settings) -> Section:
    """Turn the counts of D documents into a section."""
    zero = settings.mode == "n2c2"
    paths = all_paths(cells)
    block = CountBlock(tuple("/".join(path) for path in paths))
    counted = np.array([_columns(one, paths) for one in cells], dtype=float)
    alone = block(counted).summed()  # each document by itself, [D]
    scores = np.stack([_rate(name, alone, zero) for name in RATES], axis=1)
    rows = np.hstack([counted, scores, np.ones((len(cells), 1))])
    total = rows.sum(axis=0, keepdims=True)
    draws = resample(rows, settings.resamples, settings.seed)
    grouping = _grouping(paths)

    def micro(name: str) -> Score:
        return _score(
            lambda sums: _rate(name, block(sums).summed(), zero),
            total,
            draws,
            undefined=_undefined(name, block(total).summed()),
        )

    def macro_labels(name: str) -> Score:
        return _score(
            lambda sums: _label_mean(name, _grouped(block(sums), grouping)),
            total,
            draws,
            undefined=not counted.any(),
        )

    def macro_documents(index: int) -> Score:
        column = block.stop + index
        return _score(
            lambda sums: sums[:, column] / sums[:, -1],
            total,
            draws,
            undefined=bool(_undefined_each(list(RATES)[index], alone).all()),
        )

    return Section(
        name=plan.name,
        definition=plan.definition,
        micro=Rates(micro("precision"), micro("recall"), micro("f1")),
        macro_labels=None
        if zero
        else Rates(
            macro_labels("precision"),
            macro_labels("recall"),
            macro_labels("f1"),
            macro_labels("f1_of_means"),
        ),
        macro_documents=Rates(macro_documents(0), macro_documents(1), macro_documents(2)),
        tables=_tables(plan, paths, block(total), zero),
        documents={
            name: row_of(Counts(*(part[d : d + 1] for part in alone)), zero)
            for d, name in enumerate(ids)
        },
        counts={
            **plan.counts,
            "documents_without_any": int(_undefined_each("f1", alone).sum()),
        },
    )


def _columns(cells: Cells, paths: Sequence[Path]) -> list[int]:
    """True positives of all paths, then false positives, then false negatives."""
    rows = [cells.row(path) for path in paths]
    return [row[column] for column in range(3) for row in rows]


def _score(
    measure: Callable[[Array], Array], total: Array, draws: Array, *, undefined: bool
) -> Score:
    value = 100 * float(measure(total)[0])
    return Score(value, *interval(100 * measure(draws)), undefined=undefined)


def _rate(name: str, counts: Counts, zero: bool) -> Array:
    """Precision, recall or F1 [N, ...]; without a denominator 0, or as `tally` defines it."""
    values = RATES[name](counts)
    return np.where(_undefined_each(name, counts), 0.0, values) if zero else values


def _undefined_each(name: str, counts: Counts) -> Array:
    tp, fp, fn = counts
    whole = {"precision": tp + fp, "recall": tp + fn, "f1": tp + fp + fn}[name]
    return whole == 0


def _undefined(name: str, counts: Counts) -> bool:
    return bool(_undefined_each(name, counts).item())


def _grouping(paths: Sequence[Path]) -> Array:
    """Which path belongs to which label of the first level [L, labels], as 0 and 1."""
    labels = sorted({path[0] for path in paths})
    return np.array([[path[0] == label for label in labels] for path in paths], dtype=float)


def _grouped(counts: Counts, grouping: Array) -> Counts:
    if not grouping.size:
        return counts
    return Counts(*(part @ grouping for part in counts))


def _label_mean(name: str, counts: Counts) -> Array:
    """Mean over the labels that stand in gold or predictions [N]; 1 if none does."""
    present = (counts.tp + counts.fp + counts.fn) > 0

    def mean(rate: str) -> Array:
        return ratio((RATES[rate](counts) * present).sum(-1), present.sum(-1), 1.0)

    if name != "f1_of_means":
        return mean(name)
    p, r = mean("precision"), mean("recall")
    return np.where(p + r > 0, 2 * p * r / np.where(p + r > 0, p + r, 1), 0.0)


def _tables(
    plan: Plan, paths: Sequence[Path], counts: Counts, zero: bool
) -> dict[str, dict[str, Row]]:
    tables: dict[str, dict[str, Row]] = {}
    for depth, level in enumerate(plan.levels, start=1):
        table: dict[str, Row] = {}
        for prefix in dict.fromkeys(path[:depth] for path in paths):
            keep = np.array([path[:depth] == prefix for path in paths])
            row = row_of(counts.summed(keep), zero)
            shown = [part for part in prefix if part]
            # without a last part (a span-only argument) the row stands in the table before
            if len(shown) == depth and not (plan.gold_labels_only and not row.support):
                table[_shown(shown)] = row
        tables[level] = table
    return tables


def _shown(path: Sequence[str]) -> str:
    """A path as one word; a slash inside a part is marked, so that no two paths look alike."""
    return path[0] if len(path) == 1 else "/".join(part.replace("/", "\\/") for part in path)


def row_of(counts: Counts, zero: bool = False) -> Row:
    """A row from counts [1]; without a denominator a score is 0, or as `tally` defines it."""
    tp, fp, fn = (int(part.item()) for part in counts)
    values = {name: 100 * float(_rate(name, counts, zero).item()) for name in RATES}
    undefined = tuple(name for name in RATES if _undefined(name, counts))
    return Row(tp, fp, fn, **values, undefined=undefined)
