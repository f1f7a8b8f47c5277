"""Documents to CoNLL files, in four schemes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.documents.fuzzing import mutated, survives
from tests.documents.test_conll_documents import SEEDS

from clinprompt.documents import formats
from clinprompt.documents.conll import documents_of
from clinprompt.documents.conll_tokens import sentences_of
from clinprompt.documents.conll_write import SCHEMES, SPACED, lines_of
from clinprompt.documents.formats import ReadOptions, WriteOptions
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
    Passage,
)
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

SchemeName = Literal["BIO", "BIO2", "IO", "BIOES"]
NAMES: list[SchemeName] = ["BIO", "BIO2", "IO", "BIOES"]
SPACE = "text whose white space CoNLL can't hold"


def written(document: Document, scheme: SchemeName = "BIO2") -> tuple[str, Report]:
    report = Report()
    return "\n".join(lines_of(document, SCHEMES[scheme], Path("n"), report)), report


def back(text: str) -> tuple[list[Document], Report]:
    report, raw = Report(), text.encode()
    member = Member("n.conll", "n.conll", lambda: raw)
    return list(documents_of(member, ReadOptions(), report)), report


def mentions(*spans: Span, label: str = "X") -> tuple[Mention, ...]:
    return tuple(Mention(f"T{i}", label, (span,)) for i, span in enumerate(spans, 1))


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("BIO", "I-X I-X B-X O I-Y I-X"),
        ("BIO2", "B-X I-X B-X O B-Y B-X"),
        ("IO", "I-X I-X I-X O I-Y I-X"),
        ("BIOES", "B-X E-X S-X O S-Y S-X"),
    ],
)
def test_schemes(scheme: SchemeName, tags: str) -> None:
    annotations = (
        *mentions((0, 3), (4, 5)),
        Mention("T8", "Y", ((8, 9),)),
        Mention("T9", "X", ((10, 11),)),
    )
    document = Document("17", "a b c d e f", annotations)
    text, report = written(document, scheme)
    rows = [f"{token}\t{tag}\n" for token, tag in zip("abcdef", tags.split(), strict=True)]
    assert text == "-DOCSTART- (17)\tO\n\n" + "".join(rows)
    joined = {"neighbouring mentions of one type that scheme IO joins": 1}
    assert report.counts == (joined if scheme == "IO" else {})


def test_tokens_and_sentences() -> None:
    text = (
        "Hx: COPD, 3.5 mg p.o. daily. Seen by Dr. Roe\nfor cough.\nPlan\n\nrest e\u0301t\u00e9 "
        "\U0001f469\U0001f3fd\u200d\u2695\ufe0f!"
    )
    found = [[text[a:b] for a, b in tokens] for tokens in sentences_of(text, [], spaced=False)]
    assert found == [
        "Hx : COPD , 3 . 5 mg p . o . daily .".split(),
        "Seen by Dr . Roe for cough .".split(),
        ["Plan"],
        ["rest", "e\u0301t\u00e9", "\U0001f469\U0001f3fd\u200d", "\u2695\ufe0f", "!"],
    ]


def test_a_border_inside_a_token_cuts_it() -> None:
    document = Document("n", "pre-xCOVID19y!", mentions((5, 12), (13, 14)))
    text, report = written(document)
    assert text.split("\n")[2:-1] == [
        "pre\tO",
        "-\tO",
        "x\tO",
        "COVID19\tB-X",
        "y\tO",
        "!\tB-X",
    ]
    assert report.counts == {SPACE: 1}


def test_no_sentence_ends_inside_a_mention() -> None:
    document = Document("n", "Seen. Bleeding\nStopped. Well.", mentions((6, 23)))
    (again,), _ = back(written(document)[0])
    assert again.text == "Seen .\nBleeding Stopped .\nWell ."
    assert [one.surface(again.text) for one in again.mentions] == ["Bleeding Stopped ."]


def test_a_token_is_never_taken_for_the_head_of_a_document() -> None:
    text = "x-DOCSTART- -DOCSTART- y"
    document = Document("n", text, mentions((1, 11)), metadata=(SPACED,))
    (again,), _ = back(written(document)[0])
    assert again.text == "x - DOCSTART- - DOCSTART- y"
    assert [one.surface(again.text) for one in again.mentions] == ["- DOCSTART-"]


def test_what_tags_cannot_say_is_counted() -> None:
    annotations: tuple[Annotation, ...] = (
        Mention("T1", "X", ((0, 8),), 0.9),
        Mention("T2", "Y", ((2, 3),)),
        Mention("T3", "X", ((0, 8),)),
        Mention("T4", "X", ((6, 10),)),
        Mention("T5", "X", ((9, 10), (12, 13))),
        Mention("T6", "a b", ((11, 14),)),
        Mention("T7", "X", ((14, 15),)),
        Mention("T8", "X", ((15, 16), (17, 18))),
        Mention("T9", "X", ()),
        Link("R1", "r", (Argument("a", "T1"), Argument("b", "T2"))),
        Event("E1", "T1"),
        Attribute("A1", "n", "T1"),
        Normalization("N1", "T1", "a", "b"),
        Comment("#1", "n", "T1", "x"),
        Equivalence("Equiv", ("T1", "T2")),
    )
    document = Document(
        "n\t1",
        "a b c d e f g h\n i",
        annotations,
        (Passage((0, 3), "title"),),
        (("date", "2020"), ("tokens", "white space")),
    )
    text, report = written(document)
    assert text.split("\n") == [
        "-DOCSTART- (n 1)\tO",
        "",
        "a\tB-X",
        "b\tI-X",
        "c\tI-X",
        "d\tI-X",
        "e\tO",
        "f\tO",
        "g\tB-a_b",
        "h\tB-X",
        "",
        "i\tB-X",
        "",
    ]
    expected = {
        "nested mentions that CoNLL can't hold": 2,
        "overlapping mentions that CoNLL can't hold": 1,
        "discontinuous mentions that CoNLL can't hold": 1,
        "white space at the edge of mentions left out": 5,
        "mentions without visible text": 1,
        "types that CoNLL can't hold as they are, rewritten": 1,
        "relations that CoNLL can't hold": 1,
        "events that CoNLL can't hold": 1,
        "attributes that CoNLL can't hold": 1,
        "normalisations that CoNLL can't hold": 1,
        "comments that CoNLL can't hold": 1,
        "equivalences that CoNLL can't hold": 1,
        "passages that CoNLL can't hold": 1,
        "metadata that CoNLL can't hold": 1,
        "confidences that CoNLL can't hold": 1,
        "document id with odd white space, rewritten": 1,
        SPACE: 1,
    }
    assert report.counts == expected


PIECES = ["ab", "X", "1", ".", "-", " ", "  ", "\n", "\r\n", "\t", "é", "e\u0301", "\U0001f600"]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Texts with mentions anywhere, at borders of tokens or not."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES), max_size=25)))
    found = []
    for i in range(draw(st.integers(0, 5)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        found.append(Mention(f"T{i}", draw(st.sampled_from(["X", "Y-Z"])), ((start, end),)))
    return Document("n", text, tuple(found))


@given(documents(), st.sampled_from(NAMES))
def test_mentions_cover_the_same_characters_when_read_back(
    document: Document, scheme: SchemeName
) -> None:
    """No visible character is lost, and none is shifted in or out of a mention."""
    text, report = written(document, scheme)
    (again,), broken = back(text)
    assert not broken.counts
    visible = "".join(document.text.split())
    assert "".join(again.text.split()) == visible

    def places(one: Document) -> list[tuple[int, int, str]]:
        """Mentions counted in visible characters, in the order of the text."""
        at = [0]
        for char in one.text:
            at.append(at[-1] + (not char.isspace()))
        spans = ((at[m.start], at[m.end], m.label) for m in one.mentions)
        return sorted(spans, key=lambda span: (span[0], -span[1]))

    kept: list[tuple[int, int, str]] = []
    for span in places(document):
        if span[0] < span[1] and (not kept or span[0] >= kept[-1][1]):
            kept.append(span)
    joined = report.counts["neighbouring mentions of one type that scheme IO joins"]
    found = places(again)
    assert len(found) == len(kept) - joined
    if not joined:
        assert [one[:2] for one in found] == [one[:2] for one in kept]
    lost = sum(
        report.counts[reason]
        for reason in (
            "nested mentions that CoNLL can't hold",
            "overlapping mentions that CoNLL can't hold",
            "mentions without visible text",
        )
    )
    assert len(kept) + lost == len(document.mentions)


@given(documents(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_what_was_read_is_written_the_same_in_any_scheme(
    document: Document, first: SchemeName, second: SchemeName
) -> None:
    """Tokens, sentences and, where IO has no part, mentions stay as they are."""
    (read,), _ = back(written(document, first)[0])
    text, report = written(read, second)
    (again,), broken = back(text)
    assert not broken.counts
    assert again.text == read.text and SPACE not in report.counts
    if second != "IO":
        assert again == read and not report.counts
        assert written(again, second)[0] == text


def test_one_file_for_all_documents(tmp_path: Path) -> None:
    documents = [Document(f"ward/{i}", f"n {i}", mentions((2, 3))) for i in range(3)]
    documents.append(Document("empty", ""))
    report = Report()
    file = tmp_path / "out" / "all.conll"
    options = WriteOptions(scheme="BIOES")
    assert formats.write("conll", file, documents, report, options) == 4
    again = list(formats.read("conll", file, report))
    assert [(one.id, one.text) for one in again] == [(one.id, one.text) for one in documents]
    assert not report.counts and b"S-X" in file.read_bytes()


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([Document("n", "a", mentions((0, 2)))], "CP-DOC-103"),
        ([Document("n", "a"), Document("n", "b")], "CP-DOC-123"),
        ([Document("n", "a\ud800")], "CP-DOC-122"),
    ],
)
def test_what_is_refused(tmp_path: Path, documents: list[Document], code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        formats.write("conll", tmp_path / "n.conll", documents, Report())
    assert caught.value.code == code and not (tmp_path / "n.conll").exists()


@pytest.mark.data
@pytest.mark.parametrize("scheme", NAMES)
def test_real_files_come_back(data_root: Path, tmp_path: Path, scheme: SchemeName) -> None:
    source = data_root / "NER" / "ncbi-disease" / "test.tsv"
    report = Report()
    documents = list(formats.read("conll", source, report))
    options = WriteOptions(scheme=scheme)
    formats.write("conll", tmp_path / "x.tsv", documents, report, options)
    again = list(formats.read("conll", tmp_path / "x.tsv", report))
    assert again[0].text == documents[0].text
    if scheme != "IO":
        assert again == documents and not report.counts
    lost = len(documents[0].mentions) - len(again[0].mentions)
    assert report.counts.total() == lost


def test_mutated_files_that_are_read_are_written_and_read_the_same() -> None:
    def there_and_back(raw: bytes) -> None:
        member = Member("n.conll", "n.conll", lambda: raw)
        for document in documents_of(member, ReadOptions(), Report()):
            text, report = written(document)
            (again,), broken = back(text)
            assert not broken.counts
            if not report.counts:
                assert again.text == document.text
                assert again.annotations == document.annotations

    good, refused = survives(there_and_back, mutated(SEEDS, 4_000, 12))
    assert good > 400 and refused > 400
