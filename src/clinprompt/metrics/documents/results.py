"""What scoring documents gives back. All scores and intervals are on a scale of 0 to 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clinprompt.metrics.documents.settings import FieldKind, Settings


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its 95 % bootstrap interval.

    Attributes:
        undefined: True if its denominator is 0, so that `value` is a convention.
    """

    value: float
    low: float
    high: float
    undefined: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1 of one way of averaging.

    Attributes:
        f1_of_means: F1 of the mean precision and the mean recall; macro over labels only.
    """

    precision: Score
    recall: Score
    f1: Score
    f1_of_means: Score | None = None

    def to_json(self) -> dict[str, Any]:
        """The scores by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Row:
    """Counts and scores of one label, or of one document.

    Attributes:
        support: number in gold; `predicted` is the number in the predictions.
        undefined: which of the three scores have a denominator of 0.
    """

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    undefined: tuple[str, ...] = ()

    @property
    def support(self) -> int:
        """The number in gold."""
        return self.tp + self.fn

    @property
    def predicted(self) -> int:
        """The number in the predictions (in n2c2 mode, of those that weren't dropped)."""
        return self.tp + self.fp

    def to_json(self) -> dict[str, Any]:
        """All fields, `support` and `predicted` included."""
        return {
            **{name: value for name, value in asdict(self).items() if name != "undefined"},
            "support": self.support,
            "predicted": self.predicted,
            "undefined": list(self.undefined),
        }


@dataclass(frozen=True)
class Section:
    """One thing scored in one way.

    Attributes:
        name: such as ``entities.exact``.
        definition: what counts as right.
        micro: over all counts of all documents.
        macro_labels: mean over the rows of the first table; None in n2c2 mode.
        macro_documents: mean over documents.
        tables: level (label; type, argument, value) -> path -> row.
        documents: id -> row of that document alone.
        counts: further numbers, such as repeated or left-out things.
    """

    name: str
    definition: str
    micro: Rates
    macro_labels: Rates | None
    macro_documents: Rates
    tables: Mapping[str, Mapping[str, Row]]
    documents: Mapping[str, Row]
    counts: Mapping[str, int] = field(default_factory=dict)

    def rates(self, average: str) -> Rates | None:
        """The rates of ``micro``, ``macro_labels`` or ``macro_documents``."""
        found: Rates | None = getattr(self, average)
        return found

    def to_json(self, *, per_document: bool) -> dict[str, Any]:
        """Everything as plain dictionaries."""
        content: dict[str, Any] = {
            "definition": self.definition,
            "micro": self.micro.to_json(),
            "macro_labels": self.macro_labels and self.macro_labels.to_json(),
            "macro_documents": self.macro_documents.to_json(),
            "tables": {
                level: {path: row.to_json() for path, row in table.items()}
                for level, table in self.tables.items()
            },
            "counts": dict(self.counts),
        }
        if per_document:
            content["documents"] = {name: row.to_json() for name, row in self.documents.items()}
        return content


@dataclass(frozen=True)
class FieldScores:
    """Scores of one field of the metadata.

    Attributes:
        name: of the field; `kind` says how it was compared, `definition` what counts as right.
        metrics: by name: ``exact_match``, ``token_f1``, ``rouge1``, ``rouge2``, ``rougeL`` of a
            text, ``accuracy``, ``macro_f1``, ``micro_f1`` of a label.
        labels: of a label field, a row each; `confusion` is gold -> predicted -> number.
        documents: id -> metric -> score of that document alone.
        counts: ``documents`` scored; of those ``not_predicted`` and predicted ``without_field``;
            documents ``without_gold``, which are not scored; gold's values (``references``).
    """

    name: str
    kind: FieldKind
    definition: str
    metrics: Mapping[str, Score]
    labels: Mapping[str, Row]
    confusion: Mapping[str, Mapping[str, int]]
    documents: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, int]

    def to_json(self, *, per_document: bool) -> dict[str, Any]:
        """Everything as plain dictionaries."""
        content: dict[str, Any] = {
            "kind": self.kind,
            "definition": self.definition,
            "metrics": {name: asdict(score) for name, score in self.metrics.items()},
            "counts": dict(self.counts),
        }
        if self.kind == "label":
            content["labels"] = {name: row.to_json() for name, row in self.labels.items()}
            content["confusion"] = {name: dict(row) for name, row in self.confusion.items()}
        if per_document:
            content["documents"] = {name: dict(row) for name, row in self.documents.items()}
        return content


@dataclass(frozen=True)
class DocumentScores:
    """All scores of one set of predictions.

    Attributes:
        settings: how they were made.
        sections: by name; `fields` likewise.
        averages: what micro and the two macros mean here.
        quirks: of n2c2 mode, by name; empty in clean mode.
        documents: how many were scored; ids that one side lacks.
        notes: what a reader of the numbers should know.
        left_out: side -> what could not be scored -> how often.
    """

    settings: Settings
    sections: Mapping[str, Section]
    fields: Mapping[str, FieldScores]
    averages: Mapping[str, str]
    quirks: Mapping[str, str]
    scored: int
    missing: Sequence[str]
    extra: Sequence[str]
    notes: Sequence[str]
    left_out: Mapping[str, Mapping[str, int]]

    def to_json(self, *, per_document: bool = False) -> dict[str, Any]:
        """Everything as plain dictionaries."""
        return {
            "mode": self.settings.mode,
            "settings": asdict(self.settings),
            "averages": dict(self.averages),
            "quirks": dict(self.quirks),
            "documents": {
                "scored": self.scored,
                "missing_in_predictions": list(self.missing),
                "missing_in_gold": list(self.extra),
            },
            "notes": list(self.notes),
            "left_out": {side: dict(counts) for side, counts in self.left_out.items()},
            "sections": {
                name: section.to_json(per_document=per_document)
                for name, section in self.sections.items()
            },
            "fields": {
                name: one.to_json(per_document=per_document) for name, one in self.fields.items()
            },
            "bootstrap": {
                "unit": "document",
                "resamples": self.settings.resamples,
                "seed": self.settings.seed,
                "level": 0.95,
            },
        }
