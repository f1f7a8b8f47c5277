"""The PubTator format: titles and abstracts with mentions, concepts and relations.

    227508|t|Naloxone reverses the antihypertensive effect of clonidine.
    227508|a|In unanesthetized rats ...
    227508<TAB>0<TAB>8<TAB>Naloxone<TAB>Chemical<TAB>D009270
    227508<TAB>CID<TAB>D003000<TAB>D007022

Offsets count characters of the title, one separator, and the abstract. A composite mention has
several concepts joined by ``|``; ``-1`` stands for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.offsets import misplaced, offset_error
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity

_TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)")
NO_CONCEPT = frozenset({"-1", "-", ""})


@dataclass(frozen=True)
class ConceptRelation:
    """A relation between two concepts of a document, and the line it stands in."""

    label: str
    head: str
    tail: str
    line: int = field(default=0, compare=False)


@dataclass
class Document:
    """A title with its abstract, and what is annotated in them."""

    id: str
    title: str
    abstract: str
    line: int = field(default=0, compare=False)
    mentions: list[Entity] = field(default_factory=list)
    relations: list[ConceptRelation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract, one space between them: what offsets count in."""
        return f"{self.title} {self.abstract}" if self.abstract else self.title


def parse(text: str, file: Path) -> Iterator[Document]:
    """The documents of a file.  Blank lines mean nothing: a title line starts a document.

    Raises:
        ClinpromptError: CP-DATA-020 offsets do not cover the mention's text, CP-DATA-025 a line
            is malformed, CP-DATA-050 a document stands twice.
    """
    document: Document | None = None
    abstract_due = False
    ids = Ids()
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        match = _TEXT_LINE.fullmatch(line)
        if abstract_due and (match is None or match[2] != "a"):
            raise malformed("a title line must be followed by its abstract line", file, number)
        if match is not None and match[2] == "t":
            if document is not None:
                yield document
            document = Document(match[1], match[3], "", number)
            ids.add(document.id, file, number)
            abstract_due = True
            continue
        name = match[1] if match else line.split("\t", 1)[0]
        if document is None:
            raise malformed("a line before the first title line (ID|t|TITLE)", file, number)
        if name != document.id:
            raise malformed(f"the line does not begin with the id '{document.id}'", file, number)
        if match is None:
            _annotation(line.split("\t"), document, file, number)
        elif abstract_due:
            document.abstract, abstract_due = match[3], False
        else:
            raise malformed("a second abstract line", file, number)
    if abstract_due:
        raise malformed("the file ends after a title line", file, text.count("\n") + 1)
    if document is not None:
        yield document


def _annotation(cells: list[str], document: Document, file: Path, number: int) -> None:
    """Add a mention (5 to 7 columns) or a relation (4 columns) to its document."""
    if len(cells) == 4 and not cells[1].isdecimal():
        document.relations.append(ConceptRelation(cells[1], cells[2], cells[3], number))
        return
    if len(cells) not in (5, 6, 7):
        raise malformed(
            f"{len(cells)} columns; a mention has 5 to 7 and a relation 4", file, number
        )
    if not (cells[1].isdecimal() and cells[2].isdecimal()):
        raise malformed("the offsets in columns 2 and 3 are not whole numbers", file, number)
    start, end = int(cells[1]), int(cells[2])
    if problem := misplaced(document.text, start, end, cells[3]):
        raise offset_error(f"document {document.id}: {problem}", file, number)
    if not cells[4]:
        raise malformed("a mention without a type", file, number)
    parts = cells[5].split("|") if len(cells) > 5 else []
    concepts = "|".join(part for part in parts if part not in NO_CONCEPT)
    document.mentions.append(Entity(((start, end),), cells[4], concepts or None))


def write(documents: Iterable[Document]) -> str:
    """The documents in PubTator format; `parse` gives them back.

    Raises:
        ValueError: what the format can't say: a discontinuous mention, a tab or a line end.
    """
    blocks = []
    for document in documents:
        rows: list[tuple[str, ...]] = [
            (f"{document.id}|t|{document.title}",),
            (f"{document.id}|a|{document.abstract}",),
        ]
        for mention in document.mentions:
            if len(mention.spans) != 1:
                raise ValueError(f"{document.id}: PubTator has no discontinuous mentions")
            offsets = str(mention.start), str(mention.end), mention.surface(document.text)
            rows.append((document.id, *offsets, mention.label, mention.concept or "-1"))
        for relation in document.relations:
            rows.append((document.id, relation.label, relation.head, relation.tail))
        if any(mark in cell for row in rows for cell in row for mark in "\t\r\n"):
            raise ValueError(f"{document.id}: a tab or a line end inside a field")
        blocks.append("".join("\t".join(row) + "\n" for row in rows))
    return "\n".join(blocks)


def malformed(problem: str, file: Path, line: int) -> ClinpromptError:
    """The error for a line that is not PubTator."""
    return ClinpromptError("CP-DATA-025", problem, file=file, line=line)
