"""Documents with all kinds of BRAT annotations, and files in memory, for tests."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from clinprompt.documents import brat
from clinprompt.documents.brat_write import annotation_lines
from clinprompt.documents.formats import ReadOptions
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
from clinprompt.documents.store import Member
from clinprompt.report import Report

PIECES = ["ab", "C", " ", "  ", "\n", "\r\n", "\t", "é", "e\u0301", "\U0001f600", "\u2028", "\x85"]
WORDS = st.text("aZ-_:0éü\u00a0\U0001f600", min_size=1, max_size=6)
LINES = st.text("ab:\t é\u2028'\"\\", max_size=10)


def member(name: str, raw: bytes) -> Member:
    """A file of a collection that exists in memory alone."""
    return Member(name, name, lambda: raw)


def read(
    text: bytes, annotations: bytes, options: ReadOptions | None = None
) -> tuple[Document, Report]:
    """The document of ``n.txt`` and ``n.ann``."""
    report = Report()
    files = [member("n.ann", annotations)]
    found = brat.assemble("n", member("n.txt", text), files, options or ReadOptions(), report)
    return found, report


def written(document: Document) -> tuple[bytes, Report]:
    """The bytes of a document's annotation file."""
    report = Report()
    lines = annotation_lines(document, Path("n.ann"), report)
    return "".join(f"{line}\n" for line in lines).encode(), report


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents that BRAT can hold as they are, in any order of annotations."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=20)))
    mentions: list[Annotation] = []
    for i in range(draw(st.integers(0, 5))):
        edges = draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6, unique=True))
        edges = sorted(edges)[: len(edges) // 2 * 2]
        spans = tuple(zip(edges[::2], edges[1::2], strict=True))
        mentions.append(Mention(f"T{i + 1}", draw(WORDS), spans))
    if not mentions:
        return Document("n", text)
    marks = [one.id for one in mentions if isinstance(one, Mention)]
    ids = st.sampled_from(marks)
    others: list[Annotation] = []
    for i in range(draw(st.integers(0, 3))):
        roles = draw(st.lists(st.tuples(WORDS, st.sampled_from(marks)), max_size=3))
        arguments = tuple(Argument(role, target) for role, target in roles)
        others.append(Event(f"E{i + 1}", draw(ids), arguments))
        marks.append(f"E{i + 1}")
    for i in range(draw(st.integers(0, 3))):
        pair = [Argument(draw(WORDS), draw(st.sampled_from(marks))) for _ in range(2)]
        others.append(Link(f"R{i + 1}", draw(WORDS), (pair[0], pair[1])))
    links = [one.id for one in others if isinstance(one, Link)]
    targets = st.sampled_from(marks + links)
    values = st.none() | st.text("ab é:\u00a0", min_size=1, max_size=6).map(str.strip)
    for i in range(draw(st.integers(0, 3))):
        letter = draw(st.sampled_from("AM"))
        value = draw(values) or None
        others.append(Attribute(f"{letter}{i + 1}", draw(WORDS), draw(targets), value))
    for i in range(draw(st.integers(0, 2))):
        resource = draw(st.sampled_from(["MeSH", "SNOMED CT", "é"]))
        accession = draw(st.sampled_from(["D1", "1:2", "a b", "http://x"]))
        name, label = draw(LINES), draw(WORDS)
        others.append(Normalization(f"N{i + 1}", draw(targets), resource, accession, name, label))
    for i in range(draw(st.integers(0, 2))):
        others.append(Comment(f"#{i + 1}", draw(WORDS), draw(targets), draw(LINES)))
    if len(mentions) > 1 and draw(st.booleans()):
        others.append(Equivalence(draw(WORDS), ("T1", "T2")))
    return Document("n", text, tuple(draw(st.permutations(mentions + others))))
