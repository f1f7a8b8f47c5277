"""A document's annotations as lines of a BRAT file; what can't be held is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from clinprompt.documents.brat_lines import ID, LETTERS, render
from clinprompt.documents.counting import Scale, located
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.documents.textfolder import count_unheld
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

REWRITTEN = "names and values that BRAT can't hold as they are, rewritten"
RENAMED = "ids that BRAT can't hold, numbered anew"
_BLANKS = re.compile(r"[ \t\r\n]+")
_BREAK = re.compile(r"[\r\n]+")
_CELL = re.compile(r"[\t\r\n]+")
_MARK = (Mention, Event)
Kinds = tuple[type[Annotation], ...]


def targets(one: Annotation) -> Iterator[tuple[str, Kinds]]:
    """The ids that an annotation points at, each with the kinds that BRAT allows there."""
    match one:
        case Link(arguments=arguments):
            yield from ((argument.target, _MARK) for argument in arguments)
        case Event(trigger=trigger, arguments=arguments):
            yield trigger, (Mention,)
            yield from ((argument.target, _MARK) for argument in arguments)
        case Attribute(target=target) | Normalization(target=target):
            yield target, (*_MARK, Link)
        case Comment(target=target):
            yield target, (*_MARK, Link, Attribute, Normalization, Comment)
        case Equivalence(members=members):
            yield from ((member, _MARK) for member in members)
        case Mention():
            return


def annotation_lines(document: Document, file: Path, report: Report) -> list[str]:
    """The lines of a document's annotation file, in the order of its annotations.

    Offsets count code points of the text, a ``\\r\\n`` being two, as BRAT's server counts. A
    relation of other than two arguments, an annotation on an attribute and the like are left out
    and counted, with all that points at them. Ids without the letter of their kind are numbered
    anew, blanks in names become ``_`` and line ends in values blanks; both are counted.

    Raises:
        ClinpromptError: CP-DOC-101 to CP-DOC-103 for spans that can't be, CP-DOC-131 an id that
            comes up twice.
    """
    kept = _held(document, file)
    held = {id(one) for one in kept}
    count_unheld(document, "BRAT", report, file, lambda one: id(one) in held)
    names = _names(kept)
    report.skip(RENAMED, file, count=sum(old != new for old, new in names.items()))
    clean = [_cleaned(_renamed(one, names)) for one in kept]
    before = (_renamed(one, names) for one in kept)
    changed = sum(old != new for old, new in zip(before, clean, strict=True))
    report.skip(REWRITTEN, file, count=changed)
    labels = {one.id: one.label for one in clean if isinstance(one, Mention)}
    return [render(one, document.text, labels) for one in clean]


def _held(document: Document, file: Path) -> list[Annotation]:
    """The annotations that BRAT can hold: of a fitting shape, and so is what they point at."""
    scale = Scale(document.text)
    known: dict[str, Annotation] = {}
    for one in document.annotations:
        if isinstance(one, Mention):
            located(one.spans, scale, file=file, name=one.id)
        if isinstance(one, Equivalence):
            continue
        if one.id in known:
            raise ClinpromptError("CP-DOC-131", f"id {one.id} comes up twice", file=file)
        known[one.id] = one
    kept = [one for one in document.annotations if _fits(one)]
    while True:
        there = {one.id: one for one in kept if not isinstance(one, Equivalence)}
        still = [
            one
            for one in kept
            if all(isinstance(there.get(target), kinds) for target, kinds in targets(one))
        ]
        if len(still) == len(kept):
            return kept
        kept = still


def _fits(one: Annotation) -> bool:
    match one:
        case Mention(spans=spans):
            return bool(spans)
        case Link(arguments=arguments):
            return len(arguments) == 2
        case Normalization(resource=resource, accession=accession):
            return bool(_CELL.sub(" ", resource).strip() and _CELL.sub(" ", accession))
        case Equivalence(members=members):
            return len(members) > 1
    return True


def _names(kept: list[Annotation]) -> dict[str, str]:
    """The id of each annotation in BRAT, by its own."""
    named = [one for one in kept if not isinstance(one, Equivalence)]
    fits = {one.id: bool(ID.fullmatch(one.id)) and one.id[0] in LETTERS[type(one)] for one in named}
    taken = {name for name, good in fits.items() if good}
    numbers = {letters: count(1) for letters in LETTERS.values()}
    names = {}
    for one in named:
        letters = LETTERS[type(one)]
        name = one.id
        while not fits[one.id] and (name == one.id or name in taken):
            name = f"{letters[0]}{next(numbers[letters])}"
        taken.add(name)
        names[one.id] = name
    return names


def _renamed(one: Annotation, names: dict[str, str]) -> Annotation:
    match one:
        case Mention():
            return replace(one, id=names[one.id])
        case Link(arguments=arguments):
            return replace(one, id=names[one.id], arguments=_pointed(arguments, names))
        case Event(trigger=trigger, arguments=arguments):
            pointed = _pointed(arguments, names)
            return replace(one, id=names[one.id], trigger=names[trigger], arguments=pointed)
        case Equivalence(members=members):
            return replace(one, members=tuple(names[member] for member in members))
    return replace(one, id=names[one.id], target=names[one.target])


def _pointed(arguments: tuple[Argument, ...], names: dict[str, str]) -> tuple[Argument, ...]:
    return tuple(Argument(one.role, names[one.target]) for one in arguments)


def _cleaned(one: Annotation) -> Annotation:
    """The annotation with words and values that stay in their column and line."""
    match one:
        case Mention(label=label) | Equivalence(label=label):
            return replace(one, label=_word(label))
        case Link(label=label, arguments=arguments):
            return replace(one, label=_word(label), arguments=_words(arguments))
        case Event(arguments=arguments):
            return replace(one, arguments=_words(arguments))
        case Attribute(name=name, value=value):
            value = None if value is None else _CELL.sub(" ", value).strip(" ") or None
            return replace(one, name=_word(name), value=value)
        case Normalization(label=label, resource=resource, accession=accession, name=name):
            return replace(
                one,
                label=_word(label),
                resource=_CELL.sub(" ", resource).strip(" ").replace(":", "_"),
                accession=_CELL.sub(" ", accession),
                name=_BREAK.sub(" ", name),
            )
        case Comment(label=label, text=text):
            return replace(one, label=_word(label), text=_BREAK.sub(" ", text))


def _word(text: str) -> str:
    return _BLANKS.sub("_", text) or "_"


def _words(arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    return tuple(Argument(_word(one.role), one.target) for one in arguments)
