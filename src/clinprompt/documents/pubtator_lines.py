"""The lines of PubTator files: titles and abstracts with mentions, concepts and relations.

    227508|t|Naloxone reverses the antihypertensive effect of clonidine.
    227508|a|In unanesthetized rats ...
    227508<TAB>0<TAB>8<TAB>Naloxone<TAB>Chemical<TAB>D009270
    227508<TAB>CID<TAB>D003000<TAB>D007022

Offsets count characters of the title, one separator, and the abstract. A composite mention has
several concepts joined by ``|``, and may name its parts in one more column; ``-1`` stands for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinprompt.errors import ClinpromptError

NO_CONCEPT = frozenset({"-1", "-", ""})
_TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Row:
    """A mention as it stands in its line; its offsets are not checked.

    Attributes:
        concepts: identifiers without those that stand for none.
        names: the names of its parts that have a concept, ``|`` between them.
        nameless: how many identifiers beside `concepts` stand for none.
    """

    start: int
    end: int
    surface: str
    label: str
    concepts: tuple[str, ...] = ()
    names: str = ""
    nameless: int = 0
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class ConceptRelation:
    """A relation between two concepts of a document, and the line it stands in."""

    label: str
    head: str
    tail: str
    line: int = field(default=0, compare=False)


@dataclass
class Block:
    """The lines of one document."""

    id: str
    title: str
    abstract: str
    line: int = field(default=0, compare=False)
    rows: list[Row] = field(default_factory=list)
    relations: list[ConceptRelation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract, one space between them: what offsets count in."""
        return joined(self.title, self.abstract)


def joined(title: str, abstract: str) -> str:
    """The text that offsets count in."""
    return f"{title} {abstract}" if abstract else title


def blocks(text: str, file: str | Path) -> Iterator[Block]:
    """The documents of a file.  Blank lines mean nothing: a title line starts a document.

    Raises:
        ClinpromptError: CP-DATA-025 a line is malformed.
    """
    block: Block | None = None
    abstract_due = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        match = _TEXT_LINE.fullmatch(line)
        if abstract_due and (match is None or match[2] != "a"):
            raise malformed("a title line must be followed by its abstract line", file, number)
        if match is not None and match[2] == "t":
            if block is not None:
                yield block
            block, abstract_due = Block(match[1], match[3], "", number), True
            continue
        name = match[1] if match else line.split("\t", 1)[0]
        if block is None:
            raise malformed("a line before the first title line (ID|t|TITLE)", file, number)
        if name != block.id:
            raise malformed(f"the line does not begin with the id '{block.id}'", file, number)
        if match is None:
            _annotation(line.split("\t"), block, file, number)
        elif abstract_due:
            block.abstract, abstract_due = match[3], False
        else:
            raise malformed("a second abstract line", file, number)
    if abstract_due:
        raise malformed("the file ends after a title line", file, text.count("\n") + 1)
    if block is not None:
        yield block


def _annotation(cells: list[str], block: Block, file: str | Path, number: int) -> None:
    """Add a mention (5 to 7 columns) or a relation (4 columns) to its document."""
    if len(cells) == 4 and not cells[1].isdecimal():
        block.relations.append(ConceptRelation(cells[1], cells[2], cells[3], number))
        return
    if len(cells) not in (5, 6, 7):
        raise malformed(
            f"{len(cells)} columns; a mention has 5 to 7 and a relation 4", file, number
        )
    if not (_NUMBER.fullmatch(cells[1]) and _NUMBER.fullmatch(cells[2])):
        raise malformed("the offsets in columns 2 and 3 are not whole numbers", file, number)
    if not cells[4]:
        raise malformed("a mention without a type", file, number)
    parts = cells[5].split("|") if len(cells) > 5 else []
    concepts = tuple(part for part in parts if part not in NO_CONCEPT)
    names = cells[6] if len(cells) == 7 else ""
    split = names.split("|")
    if len(concepts) < len(parts) == len(split):
        pairs = zip(parts, split, strict=True)
        names = "|".join(name for part, name in pairs if part not in NO_CONCEPT)
    nameless = len(parts) - len(concepts) if concepts else 0
    block.rows.append(
        Row(int(cells[1]), int(cells[2]), cells[3], cells[4], concepts, names, nameless, number)
    )


def render(block: Block) -> str:
    """The lines of a document; `blocks` gives it back.

    Raises:
        ValueError: a tab or a line end inside a field.
    """
    lines: list[tuple[str, ...]] = [
        (f"{block.id}|t|{block.title}",),
        (f"{block.id}|a|{block.abstract}",),
    ]
    for row in block.rows:
        concepts = "|".join(row.concepts) or "-1"
        cells = block.id, str(row.start), str(row.end), row.surface, row.label, concepts
        lines.append((*cells, row.names) if row.names else cells)
    for relation in block.relations:
        lines.append((block.id, relation.label, relation.head, relation.tail))
    if any(unfit(cell) for cells in lines for cell in cells):
        raise ValueError(f"{block.id}: a tab or a line end inside a field")
    return "".join("\t".join(cells) + "\n" for cells in lines)


def unfit(cell: str) -> bool:
    """Whether a field holds what ends a field or a line."""
    return any(mark in cell for mark in "\t\r\n")


def malformed(problem: str, file: str | Path, line: int) -> ClinpromptError:
    """The error for a line that is not PubTator."""
    return ClinpromptError("CP-DATA-025", problem, file=file, line=line)
