"""CoNLL files to documents."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOB2, IOBES, Entities
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import bio, formats
from clinprompt.documents.conll import documents_of
from clinprompt.documents.conll_lines import Tagging, parse, tagging_of
from clinprompt.documents.conll_write import SPACED
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import Document, Mention
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

BASIC = "The\tO\nIL\tB-Gene\n-\tI-Gene\n2\tI-Gene\n.\tO\n\nNo\tB-Drug\n"


def conll(raw: str | bytes, options: ReadOptions | None = None) -> tuple[list[Document], Report]:
    """The documents of ``n.conll``."""
    content, report = raw if isinstance(raw, bytes) else raw.encode(), Report()
    member = Member("n.conll", "n.conll", lambda: content)
    return list(documents_of(member, options or ReadOptions(), report)), report


def found(document: Document) -> list[tuple[str, str]]:
    return [(one.label, one.surface(document.text)) for one in document.mentions]


def test_a_file_is_a_document_with_its_sentences_as_lines() -> None:
    (document,), report = conll(BASIC)
    assert document == Document(
        "n",
        "The IL - 2 .\nNo",
        (Mention("T1", "Gene", ((4, 10),)), Mention("T2", "Drug", ((13, 15),))),
        metadata=(SPACED,),
    )
    assert not report.counts


@pytest.mark.parametrize(
    "raw",
    [
        BASIC.replace("\n", "\r\n").encode(),
        BASIC.rstrip("\n").encode(),
        b"\n\n" + BASIC.replace("\n\n", "\n \t\n\n").encode(),
        BASIC.replace("\t", " ").encode(),
        BASIC.replace("\t", "   ").encode(),
    ],
    ids=["crlf", "no last line end", "more blank lines", "blanks", "many blanks"],
)
def test_variants_read_the_same(raw: bytes) -> None:
    assert conll(raw) == conll(BASIC)


@pytest.mark.parametrize("between", ["\tNN", "\tNN\t_", "\t\t"])
def test_columns_between_are_counted(between: str) -> None:
    documents, report = conll(BASIC.replace("\t", f"{between}\t"))
    assert documents == conll(BASIC)[0]
    cells = 6 * between.count("\t")
    assert report.counts == {"cells between token and tag left out": cells}


def test_mark_and_encoding() -> None:
    documents, report = conll(codecs.BOM_UTF8 + BASIC.encode())
    assert documents == conll(BASIC)[0]
    assert report.counts == {"byte-order mark left out": 1}
    (document,), _ = conll("caf\xe9\tB-X\n".encode("cp1252"), ReadOptions(encoding="cp1252"))
    assert found(document) == [("X", "caf\xe9")]


def test_docstart_lines_open_documents() -> None:
    text = (
        "a\tB-X\n\n-DOCSTART- -X- O\n\nb\tO\n\nc\tB-X\n-DOCSTART- (id (1) é)\tO\nd\tO\n"
        "-DOCSTART-\n\n-DOCSTART- (17) O\n"
    )
    documents, report = conll(text)
    assert [(one.id, one.text, found(one)) for one in documents] == [
        ("n/1", "a", [("X", "a")]),
        ("n/2", "b\nc", [("X", "c")]),
        ("id (1) é", "d", []),
        ("n/4", "", []),
        ("17", "", []),
    ]
    assert not report.counts


def test_comments_are_counted_and_hash_tokens_are_not_comments() -> None:
    text = "# newdoc id = 7\n#\tO\n# text = # a\n#1\tB-X\n#hello world\n# O\n#\n"
    (document,), report = conll(text)
    assert (document.text, found(document)) == ("# #1 #", [("X", "#1")])
    assert report.counts == {"comment line left out": 4}
    assert [problem.line for problem in report.problems] == [1, 3, 5, 7]


def test_files_of_a_collection(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b.tsv").write_text("b\tO\n")
    (tmp_path / "a.conll").write_text("a\tO\n-DOCSTART-\n")
    (tmp_path / "readme.md").write_text("hello")
    report = Report()
    documents = list(formats.read("conll", tmp_path, report))
    assert [one.id for one in documents] == ["a/1", "a/2", "d/b"]
    assert report.counts == {"file that format 'conll' doesn't read": 1}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "a.conll", "a.conll")
        archive.write(tmp_path / "d" / "b.tsv", "d/b.tsv")
    assert list(formats.read("conll", tmp_path / "x.zip", Report())) == documents
    assert [one.text for one in formats.read("conll", tmp_path / "d/b.tsv", Report())] == ["b"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a.tsv": "a\tO\n", "a.bio": "a\tO\n"}, "CP-DOC-142"),
        ({"a.tsv": "-DOCSTART- (1)\n-DOCSTART- (1)\n"}, "CP-DOC-142"),
        ({"a.md": ""}, "CP-DOC-143"),
    ],
)
def test_collections_that_are_refused(tmp_path: Path, files: dict[str, str], code: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ClinpromptError) as caught:
        list(formats.read("conll", tmp_path, Report()))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a\tO\nb\n", "CP-DOC-140", 2),
        ("a\n", "CP-DOC-140", 1),
        ("a\tb\tc\td\tO\n", "CP-DOC-140", 1),
        ("a\tO\nb\tx\tO\n", "CP-DOC-140", 2),
        ("a\tO\n\tO\n", "CP-DOC-140", 2),
        ("a\tB-X\nsecret\tdisease\n", "CP-DOC-141", 2),
        ("secret\tdisease\n", "CP-DOC-141", 1),
        ("a\tO\nb\tB-\n", "CP-DOC-141", 2),
        ("a\tO\nb\t\n", "CP-DOC-141", 2),
        ("-DOCSTART-x\tO\nthe\tlast end\n", "CP-DOC-141", 2),
    ],
)
def test_lines_that_are_refused(text: str, code: str, line: int) -> None:
    with pytest.raises(ClinpromptError) as caught:
        conll(text)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert "secret" not in str(caught.value) and "disease" not in str(caught.value)


# ---- tags --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "scheme", "plain"),
    [
        ("B-X I-X O B-X", "bio2", False),
        ("I-X I-X B-X O", "bio1", False),
        ("I-X B-X I-Y", "bio1", False),
        ("I-X O I-X", "io", False),
        ("O O", "io", False),
        ("B-X E-X S-Y", "bioes", False),
        ("B-X L-X U-Y", "bioes", False),
        ("O I-X O B-X", "bio2", False),  # neither: read as the common one, leniently
        ("B I O", "bio2", False),
        ("Drug O Drug", "io", True),
        ("T-cell O B", "io", True),
    ],
)
def test_the_scheme_is_told_by_the_tags(tags: str, scheme: bio.Scheme, plain: bool) -> None:
    text = "".join(f"a\t{tag}\n" for tag in tags.split())
    assert tagging_of(parse(text, "n", Report()), "n") == Tagging(scheme, plain)


def test_one_file_has_one_scheme() -> None:
    """The second sentence tells that I-X begins a mention in the first."""
    (document,), report = conll("a\tI-X\nb\tI-X\n\nc\tI-X\nd\tB-X\n")
    assert found(document) == [("X", "a b"), ("X", "c"), ("X", "d")]
    assert not report.counts


def test_broken_tags_are_read_leniently_and_counted() -> None:
    (document,), report = conll("a\tO\nb\tI-X\nc\tI-X\n\nd\tB-X\ne\tI-Y\n")
    assert found(document) == [("X", "b c"), ("X", "d"), ("Y", "e")]
    assert report.counts == {"tag that breaks scheme bio2, read leniently": 2}
    assert [problem.line for problem in report.problems] == [2, 6]


def test_tags_without_type() -> None:
    (document,), report = conll("a\tB\nb\tI\nc\tO\n")
    assert found(document) == [("Entity", "a b")]
    assert report.counts == {"tag without a type, read as 'Entity'": 2}


def spans_of(document: Document) -> list[tuple[str, int, int]]:
    """Type, first and last token of each mention; all tokens are one character."""
    return [(one.label, one.start // 2, (one.end - 1) // 2) for one in document.mentions]


TYPES = st.sampled_from(["X", "Y", "I-Z"])


@st.composite
def chunked(draw: st.DrawFn) -> tuple[list[bio.Chunk], int]:
    chunks, at, length = [], 0, draw(st.integers(1, 14))
    while at < length:
        if draw(st.booleans()):
            last = draw(st.integers(at, min(at + 3, length - 1)))
            chunks.append(bio.Chunk(at, last, draw(TYPES)))
            at = last
        at += 1
    return chunks, length


@given(chunked(), st.sampled_from(["bio1", "bio2", "bioes"]))
def test_well_formed_tags_are_read_as_seqeval_does(
    sentence: tuple[list[bio.Chunk], int], scheme: bio.Scheme
) -> None:
    tags = bio.encode(*sentence, scheme)
    strict = {"bio1": IOB1, "bio2": IOB2, "bioes": IOBES}[scheme]
    expected = [
        (one.tag, one.start, one.end - 1)
        for sent in Entities([tags], strict).entities
        for one in sent
    ]
    (document,), report = conll("".join(f"a\t{tag}\n" for tag in tags))
    assert spans_of(document) == expected and not report.counts
    assert len(expected) == len(sentence[0])


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=1, max_size=12))
def test_any_bio_tags_are_read_as_seqeval_does(tags: list[str]) -> None:
    (document,), _ = conll("".join(f"a\t{tag}\n" for tag in tags))
    assert spans_of(document) == get_entities(tags)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "mentions"),
    [
        ("ncbi-disease", 960),
        ("bc5cdr", 9809),
        ("anatem", 4616),
        ("bc2gm", 6325),
        ("linnaeus", 1433),
    ],
)
def test_real_files_have_the_known_numbers(data_root: Path, name: str, mentions: int) -> None:
    (file,) = (data_root / "NER" / name).glob("test.tsv*")
    report = Report()
    documents = list(formats.read("conll", file, report))
    assert sum(len(one.mentions) for one in documents) == mentions and not report.counts


# ---- mutated files -----------------------------------------------------------------------------

SEEDS = [
    BASIC.encode(),
    b"-DOCSTART- -X- -X- O\n\nEU NNP B-NP I-ORG\nrejects VBZ B-VP O\n\n# x = y\nMay NNP B O\n",
    "Größe\tO\n5\tB-X\n€\tE-X\n\n-DOCSTART- (a/2)\tO\n\n\U0001f600\tS-Y\n#\tO\n".encode(),
    b"a\tDrug\r\nb\tO\r\n\r\nc\tDrug\r\n",
]


def test_mutated_files_are_read_whole_or_refused() -> None:
    """Every line that is not blank is a token, a comment or opens a document."""

    def whole(raw: bytes) -> None:
        documents, report = conll(raw)
        lines = [line for line in raw.decode("utf-8-sig").split("\n") if line.strip()]
        text = "\n".join(one.text for one in documents)
        parts = parse("\n".join(lines), "n", Report())
        tokens = [token for part in parts for one in part.sentences for token in one.tokens]
        assert "".join("".join(tokens).split()) == "".join(text.split())
        opened = sum(line.startswith("-DOCSTART-") for line in lines)
        assert len(tokens) + report.counts["comment line left out"] >= len(lines) - opened

    good, refused = survives(whole, mutated(SEEDS, 10_000, 11))
    assert good > 1000 and refused > 1000
