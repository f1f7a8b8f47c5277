"""Leakage: documents that stand in a source and in a target task, or in two splits of one task.

Two documents are the same if their ids are (inside a task; across tasks only ids with a global
prefix, such as ``pmid:``), or if a text of one is near-identical to a text of the other: equal but
for case and punctuation and at least `SHORT` words long, or contained in it (see `shingles`). The
texts are those that are asked about: note, context, premise, hypothesis, question (a short question
counts together with its choices; choices alone do not).

Two sources, or two targets, may share documents: that is reported as information, because it
matters to whoever evaluates a source task or adapts several targets together. What is left out for
the other kinds of links is decided in `drops`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from clinprompt.examples import (
    Example,
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
)
from clinprompt.tasks.card import SPLITS, Split
from clinprompt.tasks.loading import TaskData
from clinprompt.tasks.shingles import COMMON, LONG, near_identical, words
from clinprompt.tasks.suite import Role

Kind = Literal["source and target", "splits of a task", "two sources", "two targets"]
LEAKS: tuple[Kind, ...] = ("source and target", "splits of a task")
SHORT = 8  # words that equal texts need: "What causes asthma?" comes from nowhere in particular
_GLOBAL_ID = re.compile(r"(pmid|pmcid|doi|nct|url):", re.IGNORECASE)


class Unit(NamedTuple):
    """A document in one split of a task: what is compared and what is dropped."""

    task: str
    split: Split
    document: str


@dataclass(frozen=True)
class Link:
    """Two units that are one document.

    Attributes:
        left: the one that is dropped if the link is a leak.
        left_example: an example of it in which it shows.
        reason: "id", or "text" with the containment of the smaller in the larger text.
    """

    kind: Kind
    left: Unit
    left_example: str
    right: Unit
    right_example: str
    reason: Literal["id", "text"]
    containment: float = 1.0

    @property
    def why(self) -> str:
        """The reason with the other side's example, without any text."""
        return f"{self.reason} {self.right.task} {self.right.split} {self.right_example}"


def compared_texts(value: Input) -> Iterator[str]:
    """The texts of an input that tell which document it comes from."""
    match value:
        case TextInput(text=text, question=question):
            yield text
            if question is not None:
                yield question
        case PairInput(text=text):
            yield text
        case QuestionInput(question=question, context=context, choices=choices):
            if context is not None:
                yield context
            if choices and len(words(question)) < LONG:
                yield " ".join((question, *sorted(choices)))
            else:
                yield question
        case PremiseInput(premise=premise, hypothesis=hypothesis):
            yield premise
            yield hypothesis


class _Corpus:
    """Units, and the different texts with the units that each stands in."""

    def __init__(self, tasks: Sequence[TaskData], roles: Mapping[str, Role]) -> None:
        self.roles = roles
        self.first: dict[Unit, str] = {}
        # text -> unit -> the first example of the unit that has the text
        self.texts: dict[str, dict[Unit, str]] = defaultdict(dict)
        for data in tasks:
            for split, examples in data.splits.items():
                for example in examples:
                    self._add(Unit(data.card.name, split, example.document), example)

    def _add(self, unit: Unit, example: Example) -> None:
        self.first.setdefault(unit, example.id)
        for text in compared_texts(example.input):
            self.texts[" ".join(words(text))].setdefault(unit, example.id)

    def kind(self, a: Unit, b: Unit) -> Kind | None:
        """What it means if `a` and `b` are one document (None: nothing)."""
        if a.task == b.task:
            return None if a.split == b.split else "splits of a task"
        roles = {self.roles[a.task], self.roles[b.task]}
        if len(roles) == 2:
            return "source and target"
        return "two sources" if roles == {"source"} else "two targets"

    def link(
        self, a: tuple[Unit, str], b: tuple[Unit, str], reason: Literal["id", "text"], value: float
    ) -> Link | None:
        """The link between two units, the one to be dropped first."""
        kind = self.kind(a[0], b[0])
        if kind is None:
            return None
        if kind == "source and target":
            swap = self.roles[a[0].task] == "target"
        else:
            swap = (SPLITS.index(a[0].split), a[0]) > (SPLITS.index(b[0].split), b[0])
        (left, left_example), (right, right_example) = (b, a) if swap else (a, b)
        return Link(kind, left, left_example, right, right_example, reason, value)


def find_links(tasks: Sequence[TaskData], roles: Mapping[str, Role]) -> list[Link]:
    """All pairs of units that are one document, each once, in a fixed order.

    Args:
        tasks: the tasks with all their splits.
        roles: task name -> "source" or "target".
    """
    corpus = _Corpus(tasks, roles)
    found: dict[tuple[Unit, Unit], Link] = {}
    for link in (*_same_ids(corpus), *_same_texts(corpus)):
        pair = (link.left, link.right)
        if pair not in found or link.containment > found[pair].containment:
            found[pair] = link
    return [found[pair] for pair in sorted(found)]


def _same_ids(corpus: _Corpus) -> Iterator[Link]:
    """Links by document id: of one task, or with a global prefix."""
    by_id: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in corpus.first:
        is_global = _GLOBAL_ID.match(unit.document) is not None
        scope = "" if is_global else unit.task
        name = unit.document.casefold() if is_global else unit.document
        by_id[scope, name].append(unit)
    for units in by_id.values():
        for i, a in enumerate(units):
            for b in units[i + 1 :]:
                link = corpus.link((a, corpus.first[a]), (b, corpus.first[b]), "id", 1.0)
                if link is not None:
                    yield link


def _same_texts(corpus: _Corpus) -> Iterator[Link]:
    """Links by near-identical text.  A text of more than `COMMON` documents is boilerplate."""
    places = [
        (text, units)
        for text, units in corpus.texts.items()
        if len(text.split()) >= SHORT and len(units) <= COMMON
    ]
    texts = [text for text, _ in places]
    # A text's kind: the (task, split) pairs it stands in, so that comparable pairs are a table.
    cells = [frozenset((unit.task, unit.split) for unit in units) for _, units in places]
    numbers = {cell: number for number, cell in enumerate(dict.fromkeys(cells))}
    comparable = np.array(
        [[_comparable(a, b) for b in numbers] for a in numbers], dtype=np.bool_
    ).reshape(len(numbers), len(numbers))
    pairs = near_identical(texts, [numbers[cell] for cell in cells], comparable)
    same = [(i, i, 1.0) for i, cell in enumerate(cells) if len(cell) > 1]
    for i, j, containment in same + pairs:
        for a in places[i][1].items():
            for b in places[j][1].items():
                link = corpus.link(a, b, "text", containment)
                if link is not None:
                    yield link


def _comparable(a: frozenset[tuple[str, Split]], b: frozenset[tuple[str, Split]]) -> bool:
    """Whether the texts of two kinds stand in different tasks or splits at all."""
    return len(a | b) > 1


def leaks(links: Sequence[Link]) -> list[Link]:
    """The links that may not be."""
    return [link for link in links if link.kind in LEAKS]


class Shared(NamedTuple):
    """How much two tasks have in common.

    Attributes:
        documents: documents of the left task that stand in the right one.
        crossing: those of them with one side in train and the other in dev or test: whoever
            trains on both tasks must not trust the scores on these.
    """

    documents: int
    crossing: int


def count_pairs(links: Sequence[Link]) -> dict[tuple[Kind, str, str], Shared]:
    """(kind, left task, right task) -> what they share, in a fixed order."""
    units: dict[tuple[Kind, str, str], dict[Unit, bool]] = defaultdict(dict)
    for link in links:
        pair = units[link.kind, link.left.task, link.right.task]
        crosses = (link.left.split == "train") != (link.right.split == "train")
        pair[link.left] = pair.get(link.left, False) or crosses
    return {key: Shared(len(found), sum(found.values())) for key, found in sorted(units.items())}
