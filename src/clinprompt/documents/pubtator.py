"""``pubtator``: titles and abstracts with mentions, concepts and relations, both ways.

What a document is made of:

- Passages ``title`` and ``abstract``, one character between them.
- A mention ``T1``, ... a line; its concepts are `Normalization` ``N1``, .... ``OMIM:1234`` names
  its resource; a bare identifier is of MeSH if it looks so (``D003000``), else of ``PubTator``.
- A relation holds between concepts. It is a `Link` ``R1``, ... between their first mentions, with
  roles ``Arg1`` and ``Arg2``; where such a mention has several concepts, an attribute
  ``Arg1Concept`` or ``Arg2Concept`` of the link says which. A relation whose concept has no mention
  is kept in the metadata: ``pubtator.relation`` is label, head and tail, tabs between.

PubTator has no ids, so they are given anew on reading; whatever else it can't hold is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from clinprompt.documents.align import placed
from clinprompt.documents.bioc_text import Names, chosen, shown, sound
from clinprompt.documents.counting import Scale
from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Document,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.documents.output import write_bytes
from clinprompt.documents.pubtator_concepts import (
    CHOSEN,
    RELATION,
    ROLES,
    first_rows,
    resource_of,
)
from clinprompt.documents.pubtator_encode import encode
from clinprompt.documents.pubtator_lines import Block, ConceptRelation, blocks, render
from clinprompt.documents.store import Member
from clinprompt.report import Report

_SUFFIXES = (".pubtator", ".txt")


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a file, or of all ``.pubtator`` and ``.txt`` files of a folder or archive.

    Raises:
        ClinpromptError: CP-DATA-025 a malformed line, CP-DOC-200, CP-DOC-201, and CP-DOC-100 to
            CP-DOC-104 for wrong offsets.
    """
    names = Names()
    for member in chosen(path, _SUFFIXES, report):
        yield from member_documents(member, options, report, names)


def member_documents(
    member: Member, options: ReadOptions, report: Report, names: Names
) -> Iterator[Document]:
    """The documents of one file (see `read`); `names` are those met before."""
    for block in blocks(member.text(options.encoding), member.place):
        names.add(block.id, member.place, block.line)
        yield _document(block, options, report, member.place)


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write all documents to one file; returns how many.

    Raises:
        ClinpromptError: CP-DOC-240 an id that can't stand in the file, CP-DOC-201, CP-DOC-204,
            CP-DOC-300, CP-DOC-004.
    """
    names = Names()
    found = []
    for document in documents:
        names.add(document.id, str(path))
        found.append(render(encode(sound(document), report, str(path))))
    write_bytes(path, "\n".join(found).encode("utf-8"))
    return len(found)


def _document(block: Block, options: ReadOptions, report: Report, place: str) -> Document:
    text = block.text
    passages = [Passage((0, len(block.title)), "title")]
    if block.abstract:
        passages.append(Passage((len(block.title) + 1, len(text)), "abstract"))
    scale = Scale(text, options.offsets)
    annotations: list[Annotation] = []
    concepts = 0
    for number, row in enumerate(block.rows, 1):
        name = f"T{number}"
        where = f"document '{shown(block.id)}', mention {number}"
        pair = (row.start, row.end)
        spans = placed(
            [pair], scale, row.surface, options, report, file=place, line=row.line, name=where
        )
        annotations.append(Mention(name, row.label, spans))
        parts = row.names.split("|") if len(row.concepts) > 1 else [row.names]
        if len(parts) != len(row.concepts):
            if row.names:
                report.skip("names that do not fit a mention's concepts", place, row.line)
            parts = [""] * len(row.concepts)
        if row.nameless:
            reason = "parts of a composite mention that have no concept"
            report.skip(reason, place, row.line, count=row.nameless)
        for concept, part in zip(row.concepts, parts, strict=True):
            concepts += 1
            found = Normalization(f"N{concepts}", name, *resource_of(concept), part)
            annotations.append(found)
    links, metadata = _links(block)
    return Document(block.id, text, (*annotations, *links), tuple(passages), metadata)


def _links(block: Block) -> tuple[list[Annotation], tuple[tuple[str, str], ...]]:
    """Relations between first mentions, and the others as metadata."""
    first = first_rows(block.rows)
    found: list[Annotation] = []
    metadata: list[tuple[str, str]] = []
    links = choices = 0
    for one in block.relations:
        ends = (one.head, one.tail)
        if not all(end in first for end in ends):
            metadata.append((RELATION, _joined(one)))
            continue
        links += 1
        name = f"R{links}"
        arguments = (
            Argument(role, f"T{first[end] + 1}") for role, end in zip(ROLES, ends, strict=True)
        )
        found.append(Link(name, one.label, tuple(arguments)))
        for choice, end in zip(CHOSEN, ends, strict=True):
            if len(block.rows[first[end]].concepts) > 1:
                choices += 1
                found.append(Attribute(f"A{choices}", choice, name, end))
    return found, tuple(metadata)


def _joined(one: ConceptRelation) -> str:
    return "\t".join((one.label, one.head, one.tail))


register(
    Format("pubtator", "PubTator: titles, abstracts, mentions, concepts", False, read, write)
)  # fmt: skip
