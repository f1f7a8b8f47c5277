"""PubTator files as documents, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.bioc_text import Names
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Argument,
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
from clinprompt.documents.pubtator import member_documents
from clinprompt.documents.pubtator_concepts import concept_of, resource_of
from clinprompt.documents.pubtator_lines import Block, ConceptRelation, Row, blocks, render
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

BASIC = (
    "7|t|Naloxone | a title.\n"
    "7|a|P\u00e2in and \U0001f912 rash.\n"
    "7\t0\t8\tNaloxone\tChemical\tD009270\n"
    "7\t20\t24\tP\u00e2in\tDisease\t-1\n"
    "7\t20\t35\tP\u00e2in and \U0001f912 rash\tDisease\tOMIM:1|D010146|99\tp|q|\n"
    "7\t31\t35\trash\tDisease\tD010146\n"
    "7\tCID\tD009270\tOMIM:1\n"
    "7\tCID\tD010146\tD009270\n"
    "7\tCID\tD009270\tD000001\n"
)
READ = Document(
    "7",
    "Naloxone | a title. P\u00e2in and \U0001f912 rash.",
    (
        Mention("T1", "Chemical", ((0, 8),)),
        Normalization("N1", "T1", "MeSH", "D009270"),
        Mention("T2", "Disease", ((20, 24),)),
        Mention("T3", "Disease", ((20, 35),)),
        Normalization("N2", "T3", "OMIM", "1", "p"),
        Normalization("N3", "T3", "MeSH", "D010146", "q"),
        Normalization("N4", "T3", "PubTator", "99"),
        Mention("T4", "Disease", ((31, 35),)),
        Normalization("N5", "T4", "MeSH", "D010146"),
        Link("R1", "CID", (Argument("Arg1", "T1"), Argument("Arg2", "T3"))),
        Attribute("A1", "Arg2Concept", "R1", "OMIM:1"),
        Link("R2", "CID", (Argument("Arg1", "T4"), Argument("Arg2", "T1"))),
    ),
    (Passage((0, 19), "title"), Passage((20, 36), "abstract")),
    (("pubtator.relation", "CID\tD009270\tD000001"),),
)


def read(folder: Path, raw: str | bytes, **options: str) -> tuple[list[Document], Report]:
    report = Report()
    (folder / "x.txt").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    found = formats.read("pubtator", folder / "x.txt", report, ReadOptions(**options))
    return list(found), report


def back(folder: Path, *held: Document) -> tuple[list[Document], Report]:
    report = Report()
    assert formats.write("pubtator", folder / "y.txt", held, report) == len(held)
    return list(formats.read("pubtator", folder / "y.txt", Report())), report


def test_basic(tmp_path: Path) -> None:
    found, report = read(tmp_path, BASIC)
    assert found == [READ]
    assert report.counts == {}
    again, report = back(tmp_path, READ)
    assert again == [READ]
    assert report.counts == {}
    assert (tmp_path / "y.txt").read_bytes().decode() == BASIC


def test_byte_offsets(tmp_path: Path) -> None:
    moved = BASIC.replace("\t20\t24", "\t20\t25").replace("\t20\t35", "\t20\t39")
    moved = moved.replace("\t31\t35", "\t35\t39")
    assert read(tmp_path, moved, offsets="bytes")[0] == [READ]
    with pytest.raises(ClinpromptError) as caught:
        read(tmp_path, moved)
    assert (caught.value.code, caught.value.line) == ("CP-DOC-100", 4)


def test_realigned(tmp_path: Path) -> None:
    found, report = read(
        tmp_path, BASIC.replace("31\t35\trash", "29\t33\trash"), mismatch="realign"
    )
    assert found == [READ]
    assert sum(report.counts.values()) == 1


def test_parts_of_a_composite_mention_without_concept(tmp_path: Path) -> None:
    found, report = read(tmp_path, "7|t|a b c\n7|a|\n7\t0\t5\ta b c\tX\tD1|-1|D2\tp|q|r\n")
    concepts = [(one.accession, one.name) for one in found[0].of(Normalization)]
    assert concepts == [("D1", "p"), ("D2", "r")]
    assert report.counts == {"parts of a composite mention that have no concept": 1}
    assert back(tmp_path, *found)[0] == found
    found, report = read(tmp_path, "7|t|a b c\n7|a|\n7\t0\t5\ta b c\tX\tD1|D2\tp|q|r\n")
    assert [one.name for one in found[0].of(Normalization)] == ["", ""]
    assert report.counts == {"names that do not fit a mention's concepts": 1}


def test_what_cannot_be_held_is_counted(tmp_path: Path) -> None:
    held = Document(
        "ward/1",
        "A first line\r\nB\tc d",
        (
            Mention("T9", "X", ((0, 1),), 0.5),
            Mention("T8", "Y", ((14, 15),)),
            Mention("T7", "Y", ((0, 1), (14, 15))),
            Mention("T6", "", ((14, 15),)),
            Mention("T5", "Y", ((18, 19),)),
            Normalization("N1", "T9", "UMLS", "C1", "a|b"),
            Normalization("N2", "T8", "", "C2"),
            Normalization("N3", "T7", "UMLS", "C3"),
            Normalization("N4", "T8", "MeSH", "D000001"),
            Normalization("N5", "T8", "MeSH", "D000002", "n", "Other"),
            Link("R1", "L", (Argument("From", "T9"), Argument("To", "T8")), 0.5),
            Link("R2", "L", (Argument("From", "T9"), Argument("To", "T7"))),
            Link("R3", "3", (Argument("Arg1", "T9"), Argument("Arg2", "T8"))),
            Link("R4", "L", (Argument("Arg1", "T9"), Argument("Arg2", "T5"))),
            Event("E1", "T8"),
            Attribute("A1", "Negated", "T9"),
            Comment("#1", "Note", "T9", "x"),
            Equivalence("Equiv", ("T9", "T8")),
        ),
        (Passage((0, 14), "head"),),
        (("date", "2020"),),
    )
    (found,), report = back(tmp_path, held)
    assert found.text == "A first line  B c d"
    assert found.mentions == (
        Mention("T1", "X", ((0, 1),)),
        Mention("T2", "Y", ((14, 15),)),
        Mention("T3", "Y", ((18, 19),)),
    )
    assert [one.arguments for one in found.links] == [
        (Argument("Arg1", "T1"), Argument("Arg2", "T2"))
    ]
    counts = {reason.removesuffix(" (PubTator can't hold them)"): n for reason, n in
              report.counts.items()}  # fmt: skip
    assert counts == {
        "tabs and line ends in texts, written as blanks": 3,
        "passages other than a title and an abstract": 1,
        "discontinuous mentions": 1,
        "mentions without a type, or with a tab or line end in it": 1,
        "concepts of mentions left out": 1,
        "concepts whose identifier is empty or holds a tab, line end, '|' or ':'": 1,
        "labels of concepts": 1,
        "confidences": 2,
        "roles of relations": 1,
        "relations that are not between two mentions in the file": 1,
        "relations whose type is empty or a number, or holds a tab or line end": 1,
        "relations of mentions with several concepts, written for the first": 1,
        "relations of mentions without a concept": 1,
        "events": 1,
        "attributes": 1,
        "comments": 1,
        "equivalences": 1,
        "metadata": 1,
    }


def test_a_note_is_cut_behind_its_first_line(tmp_path: Path) -> None:
    ((found,), _) = back(tmp_path, Document("1", "Plan\nrest\nmore"))
    assert [one.span for one in found.passages] == [(0, 4), (5, 14)]
    assert found.text == "Plan rest more"
    for text in ("", "one line", "ends\n", "\n"):
        ((found,), _) = back(tmp_path, Document("1", text))
        assert found.text == text.replace("\n", " ")


def test_a_relation_of_a_later_mention_is_counted(tmp_path: Path) -> None:
    link = Link("R1", "CID", (Argument("Arg1", "T1"), Argument("Arg2", "T2")))
    held = Document(
        "1",
        "a b a",
        (
            Mention("T1", "X", ((4, 5),)),
            Mention("T2", "X", ((2, 3),)),
            Mention("T3", "X", ((0, 1),)),
            *(Normalization(f"N{i}", f"T{i}", "PubTator", f"C{i % 2}") for i in (1, 2, 3)),
            link,
        ),
    )
    (found,), report = back(tmp_path, held)
    assert found.links[0].arguments == (Argument("Arg1", "T3"), Argument("Arg2", "T2"))
    assert report.counts["mentions of relations, which hold between their concepts "
                         "(PubTator can't hold them)"] == 1  # fmt: skip


@pytest.mark.parametrize("name", ["a|b", "a\tb", "a\nb"])
def test_ids_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        formats.write("pubtator", tmp_path / "x", [Document(name, "x")], Report())
    assert caught.value.code == "CP-DOC-240"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("0\t8\tN", "1\t9\tN", "CP-DOC-100"),
        ("0\t8\tN", "8\t0\tN", "CP-DOC-101"),
        ("0\t8\tN", "0\t800\tN", "CP-DOC-103"),
        ("0\t8\tN", "0\t" + "8" * 5000 + "\tN", "CP-DATA-025"),
        ("7|a|", "7|t|", "CP-DATA-025"),
        (BASIC, BASIC + BASIC, "CP-DOC-201"),
    ],
)
def test_what_is_refused(old: str, new: str, code: str, tmp_path: Path) -> None:
    assert old in BASIC
    with pytest.raises(ClinpromptError) as caught:
        read(tmp_path, BASIC.replace(old, new))
    assert caught.value.code == code


# ---- properties --------------------------------------------------------------------------------

WORD = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]), max_size=20)
CONCEPT = st.text("CD0123456789:.aOM", min_size=1, max_size=8).filter(lambda c: c != "-1")


@st.composite
def files(draw: st.DrawFn) -> list[Block]:
    found = []
    for name in draw(st.lists(st.text("ab7/.", min_size=1), unique=True, max_size=3)):
        block = Block(name, draw(WORD), draw(WORD))
        for _ in range(draw(st.integers(0, 4)) if block.text else 0):
            start = draw(st.integers(0, len(block.text) - 1))
            end = draw(st.integers(start + 1, len(block.text)))
            concepts = tuple(draw(st.lists(CONCEPT, unique=True, max_size=3)))
            names = "|".join(draw(st.sampled_from(["", "n", "m o"])) for _ in concepts)
            names = names if names.strip("|") else ""
            surface = block.text[start:end]
            block.rows.append(Row(start, end, surface, draw(CONCEPT), concepts, names))
        known = [concept for row in block.rows for concept in row.concepts]
        concept = st.sampled_from([*known, "D000000"])
        label = CONCEPT.filter(lambda text: not text.isdecimal())
        relation = st.builds(ConceptRelation, label, concept, concept)
        block.relations.extend(draw(st.lists(relation, max_size=3)))
        found.append(block)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_any_file_reads_back(tmp_path: Path, held: list[Block], end: str) -> None:
    text = "".join(render(block) for block in held)
    assert list(blocks(text.replace("\n", end), "x")) == held
    first, report = read(tmp_path, text.replace("\n", end))
    assert report.counts == {}
    again, report = back(tmp_path, *first)
    assert again == first
    assert report.counts == {}


@given(CONCEPT, CONCEPT)
def test_identifiers_read_back(resource: str, accession: str) -> None:
    for one in (
        Normalization("N", "T", resource, accession),
        Normalization("N", "T", "MeSH", "D1"),
    ):
        concept = concept_of(one)
        assert concept is None or resource_of(concept) == (one.resource, one.accession)
    found = Normalization("N", "T", *resource_of(accession))
    assert concept_of(found) == accession


def test_broken_files(tmp_path: Path) -> None:
    formats.write("pubtator", tmp_path / "seed", [READ, Document("8", "x\ny")], Report())
    seeds = [BASIC.encode(), (tmp_path / "seed").read_bytes()]
    found: list[Document] = []
    raws = mutated(seeds, 10_000, seed=3)

    def held(raw: bytes) -> None:
        member = Member("x", "x", lambda: raw)
        found.extend(list(member_documents(member, ReadOptions(), Report(), Names()))[:1])

    good, refused = survives(held, raws)
    assert good > 500 and refused > 500
    for one in found[::500]:
        formats.write("pubtator", tmp_path / "y", [one], Report())


# ---- the real corpus ---------------------------------------------------------------------------


def real(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "RE" / "bc5cdr-cid").glob("*.xz"))


@pytest.mark.data
def test_bc5cdr_reads_back(data_root: Path, tmp_path: Path) -> None:
    relations = {}
    for file in real(data_root):
        report = Report()
        first = list(formats.read("pubtator", file, report))
        again, lost = back(tmp_path, *first)
        assert len(first) == 500 and again == first
        assert lost.counts == {}
        assert sum(report.counts.values()) <= 1  # one composite mention with a part without concept
        relations[file.name] = sum(len(document.links) for document in first)
    assert sorted(relations.values()) == [1012, 1038, 1066]
