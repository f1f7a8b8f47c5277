"""Clean scores of facts about whole documents: summaries, answers and labels in the metadata.

`predict` writes them under the task's name. The numbers are those that `clinprompt.metrics` gives
the same answers: `text_row` and `tally_labels` are used as they are. Definitions:
``docs/scoring.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.metrics.bootstrap import interval, resample
from clinprompt.metrics.choices import tally_labels
from clinprompt.metrics.documents.pairing import Pair, Paired
from clinprompt.metrics.documents.results import FieldScores, Row, Score
from clinprompt.metrics.documents.sections import row_of
from clinprompt.metrics.documents.settings import FieldKind, Settings
from clinprompt.metrics.tally import Array, Counts, Tally
from clinprompt.metrics.texts import text_row, text_tally

DEFINITIONS: dict[FieldKind, str] = {
    "text": "exact match and token F1 after normalisation, ROUGE-1, -2 and -L; the best of gold's "
    "values counts, each metric on its own; mean over the documents whose gold has the field",
    "label": "the same label; accuracy over the documents whose gold has the field, F1 over labels",
}


def score_fields(paired: Paired, settings: Settings) -> dict[str, FieldScores]:
    """Scores of every field asked for, by its name.

    A document counts if its gold has the field. One that was not predicted, or predicted without
    the field, is wrong.

    Raises:
        ClinpromptError: CP-EVAL-170 no gold document has the field, CP-EVAL-171 a document has
            several values where one is needed.
    """
    return {name: _score(name, kind, paired, settings) for name, kind in settings.fields.items()}


def unscored(pairs: Sequence[Pair], settings: Settings) -> list[str]:
    """Names of metadata that gold and predictions have with different values and nobody scores."""
    found: set[str] = set()
    for gold, predicted in pairs:
        both = {name for name, _ in gold.metadata} & {name for name, _ in predicted.metadata}
        found |= {name for name in both if values(gold, name) != values(predicted, name)}
    return sorted(found - settings.fields.keys())


def values(document: Document, name: str) -> list[str]:
    """All values of a document's field, in order."""
    return [value for key, value in document.metadata if key == name]


@dataclass
class _Answers:
    """What is compared: of each document gold's values and the predicted one (None if missing)."""

    ids: list[str] = field(default_factory=list)
    gold: list[list[str]] = field(default_factory=list)
    predicted: list[str | None] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def _score(name: str, kind: FieldKind, paired: Paired, settings: Settings) -> FieldScores:
    found = _answers(name, kind, paired)
    tally = _texts(found) if kind == "text" else _labels(found, settings)
    total = tally.rows.sum(axis=0, keepdims=True)
    draws = resample(tally.rows, settings.resamples, settings.seed)
    of_each = ("accuracy",) if kind == "label" else tuple(tally.measures)
    alone = {metric: 100 * tally.measures[metric](tally.rows) for metric in of_each}
    return FieldScores(
        name=name,
        kind=kind,
        definition=DEFINITIONS[kind],
        metrics={
            metric: Score(100 * float(measure(total)[0]), *interval(100 * measure(draws)))
            for metric, measure in tally.measures.items()
        },
        labels=_table(tally, total),
        confusion=tally.confusion or {},
        documents={
            one: {metric: float(scores[row]) for metric, scores in alone.items()}
            for row, one in enumerate(found.ids)
        },
        counts=dict(found.counts),
    )


def _answers(name: str, kind: FieldKind, paired: Paired) -> _Answers:
    found = _Answers()
    missing, extra = set(paired.missing), set(paired.extra)
    counts = found.counts
    counts.update(documents=0, not_predicted=0, without_field=0, without_gold=0, references=0)
    for gold, predicted in paired.pairs:
        wanted, given = values(gold, name), values(predicted, name)
        if kind == "label":
            wanted, given = [one for one in wanted if one], [one for one in given if one]
        if len(given) > 1 or (kind == "label" and len(wanted) > 1):
            side = "the predictions have" if len(given) > 1 else "gold has"
            raise ClinpromptError(
                "CP-EVAL-171",
                f"document '{gold.id}': {side} several values of field '{name}'",
                hint="only gold texts may have several: each is a reference",
            )
        if not wanted:
            counts["without_gold"] += gold.id not in extra or bool(given)
            continue
        counts["documents"] += 1
        counts["references"] += len(wanted)
        counts["not_predicted"] += gold.id in missing
        counts["without_field"] += gold.id not in missing and not given
        found.ids.append(gold.id)
        found.gold.append(wanted)
        found.predicted.append(given[0] if given else None)
    if not found.ids:
        names = {key for gold, _ in paired.pairs for key, _ in gold.metadata}
        raise ClinpromptError(
            "CP-EVAL-170",
            f"no gold document has a field '{name}' in its metadata",
            hint=did_you_mean(name, names) if names else "is it in a format that keeps metadata?",
        )
    return found


def _texts(found: _Answers) -> Tally:
    rows = [text_row(text, gold) for text, gold in zip(found.predicted, found.gold, strict=True)]
    return text_tally(np.array(rows))


def _labels(found: _Answers, settings: Settings) -> Tally:
    """Labels are those that stand in gold or predictions."""
    pairs = [
        (gold[0], given or "") for gold, given in zip(found.gold, found.predicted, strict=True)
    ]
    labels = sorted({label for pair in pairs for label in pair if label})
    return tally_labels(labels, [[pair] for pair in pairs], settings.negative_labels)


def _table(tally: Tally, total: Array) -> dict[str, Row]:
    if "label" not in tally.tables:
        return {}
    counts = tally.tables["label"](total)
    return {
        label: row_of(Counts(*(part[:, column] for part in counts)))
        for column, label in enumerate(tally.labels)
    }
