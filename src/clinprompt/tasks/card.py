"""The task card: one YAML file that says all there is to say about a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from clinprompt.examples import TaskType
from clinprompt.tasks.yamlfile import Strict, parse_yaml

Form = Literal["mentions", "list", "pair", "choice", "label", "span", "text"]
Split = Literal["train", "dev", "test"]
RawSplit = Literal["train", "dev", "test", "all"]  # what files are given for
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

# What a task type may be asked in.
FORMS: dict[TaskType, tuple[Form, ...]] = {
    "ner": ("mentions",),
    "re": ("list", "pair"),
    "qa": ("choice", "label", "span", "text"),
    "nli": ("label",),
    "sum": ("text",),
}
Metric = Literal[
    "entity_f1",  # micro F1, exact spans and type
    "entity_f1_lenient",  # micro F1, overlapping spans and same type
    "relation_f1",  # micro F1, exact mentions and label
    "concept_relation_f1",  # micro F1 over pairs of concept identifiers of a document
    "accuracy",
    "macro_f1",
    "micro_f1",  # micro F1 over the labels that are not `negative_labels`
    "exact_match",
    "token_f1",
    "rouge1",
    "rouge2",
    "rougeL",
]


class SplitRule(Strict):
    """A seeded split by document, for splits that a set does not bring.

    `fractions` of the documents read from the split `of` go to each named split.
    """

    of: RawSplit = "all"
    seed: int = 13
    fractions: dict[Split, float]

    @model_validator(mode="after")
    def _sums_to_one(self) -> SplitRule:
        total = sum(self.fractions.values())
        if abs(total - 1) > 1e-6 or any(value <= 0 for value in self.fractions.values()):
            raise ValueError(f"fractions must be positive and sum to 1, not {total:g}")
        return self


class DataSpec(Strict):
    """Where the examples come from.

    Attributes:
        reader: name of a registered reader.
        files: paths for each split the set brings, or under ``all``: below the data root, or
            beside the card for a card of one's own. None at all: the reader makes its examples
            itself, for train, dev and test.
        options: the reader's own options.
        split: how missing splits are made from one that is there (several rules in order).
    """

    reader: str
    files: dict[RawSplit, list[str]] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    split: list[SplitRule] = Field(default_factory=list)

    @model_validator(mode="after")
    def _splits_fit(self) -> DataSpec:
        self.origins()
        return self

    @property
    def raw_splits(self) -> tuple[RawSplit, ...]:
        """The splits that are read, before `split` rules are applied."""
        return tuple(self.files) or SPLITS

    def origins(self) -> dict[Split, RawSplit]:
        """The splits the task has in the end, each with the split that is read for it.

        Raises:
            ValueError: a rule starts from a split that isn't there or makes one that is.
        """
        origins: dict[str, RawSplit] = {split: split for split in self.raw_splits}
        for rule in self.split:
            if rule.of not in origins:
                there = ", ".join(origins)
                raise ValueError(f"split: there is no '{rule.of}' to split (there is: {there})")
            origin = origins.pop(rule.of)
            for part in rule.fractions:
                if part in origins:
                    raise ValueError(f"split: '{part}' is there already and can't be made again")
                origins[part] = origin
        if "all" in origins:
            raise ValueError("files: 'all' needs a rule under 'split' that says what goes where")
        return {split: origins[split] for split in SPLITS if split in origins}


class Card(Strict):
    """A task.

    Attributes:
        name: lower-case name, unique in the catalogue.
        version: raised with every change that changes a score.
        type: one of the five task types; `form` is how it is asked.
        labels: label as in the data -> the words the model writes for it. Entity types for NER,
            relation labels for RE, closed answers for QA (form label) and NLI.
        arguments: for relation listing, relation label -> (head type, tail type).
        negative_labels: labels left out of micro_f1.
        instruction: what the model is told; it precedes the input.
        metric: the metric that the field uses for this set; `metrics` adds others.
        access: whether the data are open to anyone, given after an agreement is signed, or private.
        obtain: how to get a local copy and where to put it, for data that can't be passed on.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: int = Field(default=1, ge=1)
    type: TaskType
    form: Form
    title: str
    description: str = ""
    instruction: str = Field(min_length=1)
    labels: dict[str, str] = Field(default_factory=dict)
    arguments: dict[str, tuple[str, str]] = Field(default_factory=dict)
    negative_labels: list[str] = Field(default_factory=list)
    metric: Metric
    metrics: list[Metric] = Field(default_factory=list)
    data: DataSpec
    license: str
    citation: str
    homepage: str = ""
    access: Literal["open", "agreement", "private"] = "open"
    obtain: str = ""
    notes: list[str] = Field(default_factory=list)
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.form not in FORMS[self.type]:
            raise ValueError(f"form '{self.form}' of type '{self.type}': use {FORMS[self.type]}")
        if self.form in ("mentions", "list", "pair", "label") and not self.labels:
            raise ValueError(f"labels: form '{self.form}' needs them")
        words = [word.casefold().strip() for word in self.labels.values()]
        if len(set(words)) != len(words) or "" in words:
            raise ValueError("labels: their words must be distinct and not empty")
        if self.lists and any(
            word == "none" or any(mark in word for mark in ":;|>\n\\") for word in words
        ):
            raise ValueError("labels: words may not be 'none' nor hold any of : ; | > \\ newline")
        if self.form == "list" and set(self.arguments) != set(self.labels):
            raise ValueError("arguments: name head and tail type of every relation label")
        for label in self.negative_labels:
            if label not in self.labels:
                raise ValueError(f"negative_labels: '{label}' is not among the labels")
        return self

    @property
    def folder(self) -> Path | None:
        """The folder of a user's own card (None for a bundled one)."""
        return self._folder

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits the task has."""
        return tuple(self.data.origins())

    @property
    def closed(self) -> bool:
        """Whether the answer is one of a fixed set of options, chosen by label scoring."""
        return self.form in ("pair", "choice", "label")

    @property
    def lists(self) -> bool:
        """Whether the answer names any number of things, one a line, or nothing."""
        return self.form in ("mentions", "list")


def parse_card(text: str, file: str | Path | None = None) -> Card:
    """A card from YAML text.

    Raises:
        ClinpromptError: CP-TASK-001 to CP-TASK-003 (see `yamlfile.parse_yaml`).
    """
    return parse_yaml(text, Card, file)


def at_folder(card: Card, folder: Path) -> Card:
    """The same card, its relative files being looked for in `folder` too."""
    copy = card.model_copy()
    copy._folder = folder
    return copy
