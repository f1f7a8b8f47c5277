"""From documents to PubTator's lines; what they can't hold is counted."""

from __future__ import annotations

from collections import Counter, defaultdict

from clinprompt.documents.bioc_text import shown
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.documents.pubtator_concepts import CHOSEN, RELATION, ROLES, concept_of, first_rows
from clinprompt.documents.pubtator_lines import Block, ConceptRelation, Row, joined, unfit
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

_BLANKS = str.maketrans("\t\r\n", "   ")


def encode(document: Document, report: Report, place: str) -> Block:
    """The lines of a document.

    The text before the passage ``abstract`` is the title, else the first line is. Tabs and line
    ends become blanks, so that offsets stay.

    Args:
        report: where is counted what PubTator can't hold.
        place: the file that is written.

    Raises:
        ClinpromptError: CP-DOC-240 an id with a tab, line end or ``|``.
    """
    # A reader would take U+FEFF at the beginning of a file for a byte-order mark.
    if unfit(document.id) or "|" in document.id or document.id.startswith("\ufeff"):
        raise ClinpromptError(
            "CP-DOC-240",
            f"document id '{shown(document.id)}' holds a tab, line end, '|' or byte-order "
            "mark, which PubTator can't hold",
            file=place,
        )
    lost: Counter[str] = Counter()
    title, abstract, passages = _title(document)
    block = Block(document.id, title.translate(_BLANKS), abstract.translate(_BLANKS))
    lost["tabs and line ends in texts, written as blanks"] = sum(
        part.count(mark) for part in (title, abstract) for mark in "\t\r\n"
    )
    lost["passages other than a title and an abstract"] = sum(
        one not in passages for one in document.passages
    )
    rows = _mentions(document, block, lost)
    _relations(document, block, rows, lost)
    for kind in (Event, Comment, Equivalence):
        lost[f"{kind.__name__.lower()}s"] = sum(1 for _ in document.of(kind))
    for reason, count in lost.items():
        report.skip(f"{reason} (PubTator can't hold them)", place, None, document.id, count)
    return block


def _title(document: Document) -> tuple[str, str, tuple[Passage, ...]]:
    """Title, abstract, and the passages that they will be read as."""
    text, size = document.text, len(document.text)
    starts = [one.span[0] - 1 for one in document.passages if one.name == "abstract"]
    cut = starts[0] if starts and text[slice(starts[0], starts[0] + 1)].isspace() else -1
    if cut < 0 and not document.passages:
        cut = text.find("\n")
    if not 0 <= cut < size - 1:
        return text, "", (Passage((0, size), "title"),)
    passages = (Passage((0, cut), "title"), Passage((cut + 1, size), "abstract"))
    assert len(joined(text[:cut], text[cut + 1 :])) == size
    return text[:cut], text[cut + 1 :], passages


def _mentions(document: Document, block: Block, lost: Counter[str]) -> dict[str, int]:
    """Add the mentions; gives the row of each by its id."""
    concepts = _concepts(document, lost)
    rows: dict[str, int] = {}
    for mention in document.mentions:
        if len(mention.spans) != 1:
            lost["discontinuous mentions"] += 1
        elif mention.start == mention.end:
            lost["mentions that cover no text"] += 1
        elif not mention.label or unfit(mention.label):
            lost["mentions without a type, or with a tab or line end in it"] += 1
        else:
            rows[mention.id] = len(block.rows)
            found = concepts[mention.id]
            names = [one.name for one, _ in found]
            if any(unfit(name) or ("|" in name and len(names) > 1) for name in names):
                lost["names of concepts with a tab, line end or '|'"] += 1
                names = []
            surface = block.text[mention.start : mention.end]
            lost["confidences"] += mention.confidence is not None
            row = Row(
                mention.start,
                mention.end,
                surface,
                mention.label,
                tuple(concept for _, concept in found),
                "|".join(names) if any(names) else "",
            )
            block.rows.append(row)
            continue
        lost["concepts of mentions left out"] += len(concepts[mention.id])
    return rows


def _concepts(document: Document, lost: Counter[str]) -> dict[str, list[tuple[Normalization, str]]]:
    """The concepts of each mention, and how they are written."""
    found: dict[str, list[tuple[Normalization, str]]] = defaultdict(list)
    for one in document.of(Normalization):
        concept = concept_of(one)
        if not isinstance(document.by_id.get(one.target), Mention):
            lost["concepts of what is not a mention"] += 1
        elif concept is None:
            lost["concepts whose identifier is empty or holds a tab, line end, '|' or ':'"] += 1
        else:
            lost["labels of concepts"] += one.label != "Reference"
            found[one.target].append((one, concept))
    return found


def _relations(document: Document, block: Block, rows: dict[str, int], lost: Counter[str]) -> None:
    """Add the relations between concepts."""
    first = first_rows(block.rows)
    choices: dict[tuple[str, str], Attribute] = {}
    for one in document.of(Attribute):
        link = document.by_id.get(one.target)
        if isinstance(link, Link) and one.name in CHOSEN and one.value:
            choices.setdefault((link.id, one.name), one)
    used: set[str] = set()
    for link in document.links:
        targets = [argument.target for argument in link.arguments]
        if len(targets) != 2 or not all(target in rows for target in targets):
            lost["relations that are not between two mentions in the file"] += 1
            continue
        if not link.label or unfit(link.label) or link.label.isdecimal():
            lost["relations whose type is empty or a number, or holds a tab or line end"] += 1
            continue
        ends = []
        for choice, target in zip(CHOSEN, targets, strict=True):
            concepts = block.rows[rows[target]].concepts
            chosen = choices.get((link.id, choice))
            if chosen is not None and chosen.value in concepts and len(concepts) > 1:
                used.add(chosen.id)
                ends.append(chosen.value)
            else:
                lost["relations of mentions with several concepts, written for the first"] += (
                    len(concepts) > 1
                )
                ends.extend(concepts[:1])
        if len(ends) != 2:
            lost["relations of mentions without a concept"] += 1
            continue
        lost["roles of relations"] += tuple(one.role for one in link.arguments) != ROLES
        lost["confidences"] += link.confidence is not None
        if [first[end] for end in ends] != [rows[target] for target in targets]:
            lost["mentions of relations, which hold between their concepts"] += 1
        block.relations.append(ConceptRelation(link.label, ends[0], ends[1]))
    lost["attributes"] += sum(one.id not in used for one in document.of(Attribute))
    _kept(document, block, lost)


def _kept(document: Document, block: Block, lost: Counter[str]) -> None:
    """Add the relations that were kept in the metadata, for want of mentions."""
    for key, value in document.metadata:
        cells = value.split("\t")
        fits = len(cells) == 3 and not any(unfit(cell) for cell in cells)
        if key == RELATION and fits and cells[0] and not cells[0].isdecimal():
            block.relations.append(ConceptRelation(cells[0], cells[1], cells[2]))
        else:
            lost["metadata"] += 1
