"""CoNLL files to NER examples."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora import Report, read
from clinprompt.corpora.pubtator import Document, write
from clinprompt.documents.bio import Chunk, encode
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, Example, TextInput

BASIC = "The\tO\nIL\tB-Gene\n-\tI-Gene\n2\tI-Gene\n.\tO\n\nNo\tO\n"


def conll(
    folder: Path, text: str | bytes, split: str = "test", **options: object
) -> tuple[list[Example], Report]:
    (folder / "x.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    report = Report()
    files = [folder / "x.tsv"]
    return read("conll", files, options, root=folder, split=split, report=report), report


def surfaces(example: Example) -> list[tuple[str, str]]:
    assert isinstance(example.input, TextInput) and isinstance(example.answer, EntityAnswer)
    return [(e.surface(example.input.text), e.label) for e in example.answer.entities]


def test_sentences_become_examples(tmp_path: Path) -> None:
    (first, second), report = conll(tmp_path, BASIC)
    assert (first.id, first.document, first.input) == (
        "test:1",
        "test:1",
        TextInput("The IL - 2 ."),
    )
    assert surfaces(first) == [("IL - 2", "Gene")]
    assert (second.id, second.input, surfaces(second)) == ("test:7", TextInput("No"), [])
    assert not report.counts


def test_natural_spacing(tmp_path: Path) -> None:
    (first, _), _ = conll(tmp_path, BASIC, spacing="natural")
    assert first.input == TextInput("The IL-2.")
    assert surfaces(first) == [("IL-2", "Gene")]


@pytest.mark.parametrize(
    "content",
    [
        BASIC.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + BASIC.encode(),
        BASIC.rstrip("\n").encode(),
        BASIC.replace("\t", " ").encode(),
        BASIC.replace("\t", "\tNN\t_\t").encode(),
    ],
    ids=["crlf", "bom", "no last line end", "blanks", "four columns"],
)
def test_variants_read_the_same(tmp_path: Path, content: bytes) -> None:
    examples, report = conll(tmp_path, content)
    assert examples == conll(tmp_path, BASIC)[0]
    assert not report.counts


def test_xz(tmp_path: Path) -> None:
    (tmp_path / "x.tsv.xz").write_bytes(lzma.compress(BASIC.encode()))
    files = [tmp_path / "x.tsv.xz"]
    examples = read("conll", files, {}, root=tmp_path, split="test", report=Report())
    assert examples == conll(tmp_path, BASIC)[0]


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["a", "-", "é", "x1"]), st.sampled_from("OBI")), min_size=1
        ),
        min_size=1,
    ),
    st.sampled_from(["single", "natural"]),
)
def test_tags_to_entities_to_tags(
    tmp_path_factory: pytest.TempPathFactory,
    sentences: list[list[tuple[str, str]]],
    spacing: str,
) -> None:
    """Tokens and tags can be recovered from text and entities, whatever the spacing."""
    folder = tmp_path_factory.mktemp("conll")
    rows = []
    for sentence in sentences:
        tags, open_chunk = [], False
        for token, letter in sentence:
            letter = "B" if letter == "I" and not open_chunk else letter
            open_chunk = letter != "O"
            tags.append((token, "O" if letter == "O" else f"{letter}-Drug"))
        rows.append(tags)
    text = "\n\n".join("\n".join("\t".join(row) for row in sentence) for sentence in rows)
    examples, report = conll(folder, text, spacing=spacing)
    assert not report.counts and len(examples) == len(rows)
    for sentence, example in zip(rows, examples, strict=True):
        assert isinstance(example.input, TextInput) and isinstance(example.answer, EntityAnswer)
        starts, ends, at = {}, {}, 0
        for i, (token, _) in enumerate(sentence):
            at = example.input.text.index(token, at)
            starts[at] = i
            at += len(token)
            ends[at] = i
        entities = example.answer.entities
        chunks = [Chunk(starts[e.start], ends[e.end], e.label) for e in entities]
        assert encode(chunks, len(sentence), "bio2") == [tag for _, tag in sentence]


def test_docstart_groups_sentences(tmp_path: Path) -> None:
    text = "-DOCSTART-\tO\n\na\tO\n\nb\tO\n-DOCSTART-\tO\n\nc\tO\n"
    examples, report = conll(tmp_path, text)
    assert [e.document for e in examples] == ["test:1", "test:1", "test:6"]
    assert not report.counts


def test_empty_sentences_are_counted(tmp_path: Path) -> None:
    examples, report = conll(tmp_path, "a\tO\n\n\n \t\nb\tO\n\n\n\n")
    assert len(examples) == 2
    assert report.counts == {"empty sentence left out": 2}
    assert report.problems[0].line == 4


def test_types_to_keep(tmp_path: Path) -> None:
    text = "a\tB-Drug\nb\tB-Gene\n\nc\tB-Gene\n"
    examples, report = conll(tmp_path, text, types=["Drug"])
    assert [surfaces(e) for e in examples] == [[("a", "Drug")], []]
    assert report.counts == {"entity of type 'Gene', which was not asked for": 2}


def test_lenient_tags_are_counted(tmp_path: Path) -> None:
    examples, report = conll(tmp_path, "a\tO\nb\tI-Drug\nc\tI-Drug\n")
    assert surfaces(examples[0]) == [("b c", "Drug")]
    assert report.counts == {"tag that breaks scheme bio2, read leniently": 1}
    assert report.problems[0].line == 2
    assert not conll(tmp_path, "a\tO\nb\tI-Drug\n", scheme="io")[1].counts


def test_bare_letters_need_a_type(tmp_path: Path) -> None:
    examples, _ = conll(tmp_path, "a\tB\nb\tI\nc\tO\n", bare_label="Drug")
    assert surfaces(examples[0]) == [("a b", "Drug")]


def test_share_of_empty_sentences(tmp_path: Path) -> None:
    text = "".join(f"w{i}\t{'O' if i % 4 else 'B-Drug'}\n\n" for i in range(400))
    examples, report = conll(tmp_path, text, split="train", keep_empty={"train": 0.2})
    assert sum(bool(surfaces(e)) for e in examples) == 100
    left = report.counts["sentence without entities left out"]
    assert len(examples) + left == 400 and 200 < left < 280
    again, _ = conll(tmp_path, text, split="train", keep_empty={"train": 0.2})
    assert again == examples
    assert len(conll(tmp_path, text, split="test", keep_empty={"train": 0.2})[0]) == 400


def test_originals_give_documents_and_white_space(tmp_path: Path) -> None:
    documents = [Document("77", "IL-2  works.", "No."), Document("78", "The end.", "")]
    (tmp_path / "o.txt").write_text(write(documents))
    text = (
        "The\tO\nend\tO\n.\tO\n\nIL\tB-Gene\n-\tI-Gene\n2\tI-Gene\nworks\tO\n.\tO\n\nNo\tO\n.\tO\n"
    )
    examples, _ = conll(tmp_path, text, originals=["o.txt"])
    assert [(e.document, e.input) for e in examples] == [
        ("pmid:78", TextInput("The end.")),
        ("pmid:77", TextInput("IL-2  works.")),
        ("pmid:77", TextInput("No.")),
    ]
    assert surfaces(examples[1]) == [("IL-2", "Gene")]


@pytest.mark.parametrize(
    ("text", "options", "code", "line"),
    [
        ("a\tO\nb\n", {}, "CP-DATA-021", 2),
        ("a\tO\nb\tx\tO\n", {}, "CP-DATA-021", 2),
        ("a\tO\n\tO\n", {}, "CP-DATA-021", 2),
        ("a\tO\n", {"tag_column": 2}, "CP-DATA-021", 1),
        ("a\tO\n", {"token_column": -3}, "CP-DATA-021", 1),
        ("a\tO\nsecret\tdisease\n", {}, "CP-DATA-022", 2),
        ("a\tB\n", {}, "CP-DATA-022", 1),
        ("a\tE-Drug\n", {}, "CP-DATA-022", 1),
        ("a\tO\n\nsecret\tO\n", {"originals": ["o.txt"]}, "CP-DATA-023", 3),
        ("a\tB-Drug\n", {"types": ["Drugs"]}, "CP-DATA-024", None),
        ("a\tO\n", {"types": "Drug"}, "CP-DATA-007", None),
        ("a\tO\n", {"keep_empty": {"train": 2}}, "CP-DATA-007", None),
        ("a\tO\n", {"scheem": "io"}, "CP-DATA-007", None),
        (b"a\tO\n\xff\tO\n", {}, "CP-DATA-004", 2),
    ],
)
def test_what_is_refused(
    tmp_path: Path, text: str | bytes, options: dict[str, Any], code: str, line: int | None
) -> None:
    (tmp_path / "o.txt").write_text("1|t|a\n1|a|b\n")
    with pytest.raises(ClinpromptError) as caught:
        conll(tmp_path, text, **options)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert "secret" not in str(caught.value)
    if code == "CP-DATA-024":
        assert caught.value.hint == "did you mean 'Drug'?"


def test_ids_of_several_files_differ(tmp_path: Path) -> None:
    for name in ("x.tsv", "y.tsv"):
        (tmp_path / name).write_text("a\tO\n")
    files = [tmp_path / "x.tsv", tmp_path / "y.tsv"]
    examples = read("conll", files, {}, root=tmp_path, split="train", report=Report())
    assert [example.id for example in examples] == ["train:1:1", "train:2:1"]
