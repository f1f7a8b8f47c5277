"""Small annotated documents for the tests of document scores, by hand and at random."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
)
from clinprompt.metrics.documents import DocumentScores, Row, Settings, score_documents

TEXT = "0123456789" * 4
FEW = 20  # bootstrap draws where intervals don't matter


def doc(*annotations: Annotation, id: str = "a", text: str = TEXT) -> Document:
    return Document(id, text, annotations)


def mention(id: str, label: str, *spans: tuple[int, int]) -> Mention:
    return Mention(id, label, spans)


def link(id: str, label: str, head: str, tail: str) -> Link:
    return Link(id, label, (Argument("Arg1", head), Argument("Arg2", tail)))


def event(id: str, trigger: str, *arguments: tuple[str, str]) -> Event:
    return Event(id, trigger, tuple(Argument(role, target) for role, target in arguments))


def scored(
    gold: Document | Sequence[Document], predicted: Document | Sequence[Document], **chosen: Any
) -> DocumentScores:
    """Scores with few resamples; single documents are taken as sets of one."""
    sides = [[side] if isinstance(side, Document) else list(side) for side in (gold, predicted)]
    return score_documents(*sides, Settings(**{"resamples": FEW, **chosen}))


def counts(row: Row) -> tuple[int, int, int]:
    return row.tp, row.fp, row.fn


def total(scores: DocumentScores, section: str) -> tuple[int, int, int]:
    """True and false positives and false negatives over all documents."""
    if section not in scores.sections:
        return 0, 0, 0
    rows = scores.sections[section].documents.values()
    tp, fp, fn = (sum(column) for column in zip(*map(counts, rows), strict=True))
    return tp, fp, fn


def reordered(document: Document, seed: int) -> Document:
    """The same annotations under other ids and in another order; arguments change places too."""
    drawn = random.Random(seed)
    names = [one.id for one in document.annotations if not isinstance(one, Equivalence)]
    order = drawn.sample(range(len(names)), len(names))
    new = {name: f"X{number}" for name, number in zip(names, order, strict=True)}
    changed: list[Any] = []
    for one in document.annotations:
        assert not isinstance(one, Equivalence)
        fields: dict[str, Any] = {"id": new[one.id]}
        if isinstance(one, Attribute):
            fields["target"] = new[one.target]
        if isinstance(one, Event):
            fields["trigger"] = new[one.trigger]
        if isinstance(one, Event | Link):
            moved = [replace(each, target=new[each.target]) for each in one.arguments]
            fields["arguments"] = tuple(drawn.sample(moved, len(moved)))
        changed.append(replace(one, **fields))
    drawn.shuffle(changed)
    return replace(document, annotations=tuple(changed))


@st.composite
def _spans(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """One to four fragments on the first characters, so that much collides."""
    cuts = draw(st.lists(st.integers(0, 11), min_size=2, max_size=8, unique=True).map(sorted))
    if len(cuts) % 2:
        cuts = cuts[:-1]
    wanted = 2 * draw(st.sampled_from([1, 1, 1, 2, 3, 4]))
    cuts = cuts[:wanted]
    return tuple(zip(cuts[::2], cuts[1::2], strict=True))


@st.composite
def documents(draw: st.DrawFn, id: str = "a") -> Document:
    """A document with mentions, relations, attributes and events."""
    labels = st.sampled_from(["Drug", "StatusTime", "Amount"])
    mentions = [
        Mention(f"T{i}", draw(labels), draw(_spans())) for i in range(draw(st.integers(0, 6)))
    ]
    rest: list[Annotation] = []
    if mentions:
        names = st.sampled_from([one.id for one in mentions])
        for i in range(draw(st.integers(0, 4))):
            rest.append(link(f"R{i}", draw(st.sampled_from("xy")), draw(names), draw(names)))
        for i in range(draw(st.integers(0, 4))):
            arguments = draw(st.lists(st.tuples(st.sampled_from(["A", "B"]), names), max_size=4))
            rest.append(event(f"E{i}", draw(names), *arguments))
        valued = draw(st.lists(names, max_size=4, unique=True))  # one value each, as in SHAC
        for i, name in enumerate(valued):
            rest.append(Attribute(f"A{i}", "Val", name, draw(st.sampled_from(["now", "past"]))))
    return Document(id, TEXT, (*mentions, *rest))


def collections(ids: Iterable[str] = "ab") -> st.SearchStrategy[list[Document]]:
    """One document for each id."""
    return st.tuples(*(documents(id=name) for name in ids)).map(list)
