"""The native format gives back every document exactly, and refuses what is none."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions, WriteOptions
from clinprompt.documents.jsonl import read, write
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
from clinprompt.documents.record import from_record, to_record
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

TEXT = "\ufeffFiebre alta\r\nno tos \U0001f912 e\u0301\u2028fin\x85."
FULL = Document(
    "ward/17",
    TEXT,
    (
        Mention("T1", "Sign", ((1, 7),), 0.25),
        Mention("T2", "Sign", ((8, 12), (17, 20))),
        Mention("T3", "Act", ((14, 16),), 1.0),
        Link("R1", "Joins", (Argument("Arg1", "T1"), Argument("Arg2", "T2")), 0.5),
        Event("E1", "T3", (Argument("Of", "T2"), Argument("Of", "T1"))),
        Attribute("A1", "Negated", "T2"),
        Attribute("A2", "Degree", "T1", ""),
        Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
        Comment("#1", "AnnotatorNotes", "T1", "sure?\ttabbed"),
        Equivalence("Equiv", ("T1", "T2")),
    ),
    (Passage((0, 12), "first"), Passage((14, len(TEXT)), "second")),
    (("date", "2020-01-01"), ("date", "again")),
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def documents(draw):
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    places = st.lists(st.integers(0, len(text)), min_size=1, max_size=3).map(
        lambda ends: tuple(zip(*[iter(sorted(ends * 2))] * 2, strict=True))
    )
    probability = st.none() | st.floats(0, 1)
    arguments = st.lists(st.builds(Argument, words, words), max_size=3).map(tuple)
    ids = draw(st.lists(words, unique=True, max_size=8))
    annotations = []
    for name in ids:
        one = st.just(name)
        annotations.append(
            draw(
                st.one_of(
                    st.builds(Mention, one, words, places, probability),
                    st.builds(Link, one, words, arguments, probability),
                    st.builds(Event, one, words, arguments),
                    st.builds(Attribute, one, words, words, st.none() | words),
                    st.builds(Normalization, one, words, words, words, words, words),
                    st.builds(Comment, one, words, words, words),
                    st.builds(Equivalence, words, st.lists(words, max_size=3).map(tuple)),
                )
            )
        )
    ends = st.lists(st.integers(0, len(text)), min_size=2, max_size=2).map(sorted).map(tuple)
    passages = draw(st.lists(st.builds(Passage, ends, words), max_size=2))
    metadata = draw(st.lists(st.tuples(words, words), max_size=2))
    return Document(draw(words), text, tuple(annotations), tuple(passages), tuple(metadata))


def through(found: list[Document], folder: Path) -> list[Document]:
    path = folder / "d.jsonl"
    assert write(path, found, WriteOptions(), Report()) == len(found)
    return list(read(path, ReadOptions(), Report()))


def test_every_kind_of_annotation_survives(tmp_path):
    assert through([FULL, Document("empty", "")], tmp_path) == [FULL, Document("empty", "")]


@settings(max_examples=60)
@given(st.lists(documents(), max_size=3))
def test_any_documents_survive(tmp_path_factory, found):
    assert through(found, tmp_path_factory.mktemp("j")) == found


def test_defaults_are_left_out():
    record = to_record(Document("d", "ab", (Mention("T1", "X", ((0, 1),)),)))
    assert record == {
        "id": "d",
        "text": "ab",
        "annotations": [{"kind": "mention", "id": "T1", "label": "X", "spans": [[0, 1]]}],
    }


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], "the line is not an object"),
        ({"id": "d"}, "has no 'text'"),
        ({"id": 3, "text": ""}, "id is not a string"),
        ({"id": "d", "text": "", "annotation": []}, "unknown key"),
        ({"id": "d", "text": "", "annotations": {}}, "annotations is not a list"),
        ({"id": "d", "text": "", "annotations": [{"kind": "Mention"}]}, "unknown kind"),
        ({"id": "d", "text": "", "annotations": [{"kind": ["mention"]}]}, "not an object with a"),
        ({"id": "d", "text": "", "metadata": [["a"]]}, "not a list of pairs"),
        ({"id": "d", "text": "ab", "passages": [{"name": "a", "span": [0, 3]}]}, "0-3 is outside"),
        ({"id": "d", "text": "ab", "passages": [{"name": "a", "span": [0]}]}, "not [start, end]"),
    ],
)
def test_a_wrong_record_is_named(record, words):
    with pytest.raises(ClinpromptError, match=r"CP-DOC-301.*f:7") as caught:
        from_record(record, "f", 7)
    assert words in str(caught.value)


def mention(**changes: object) -> dict[str, object]:
    one = {"kind": "mention", "id": "T1", "label": "X", "spans": [[0, 1]], **changes}
    return {"id": "d", "text": "ab", "annotations": [one]}


@pytest.mark.parametrize(
    "changes",
    [
        {"spans": []},
        {"spans": [[1, 0]]},
        {"spans": [[0, 3]]},
        {"spans": [[-1, 1]]},
        {"spans": [[0, 2], [1, 2]]},
        {"spans": [[0, True]]},
        {"spans": [[0, 1.0]]},
        {"spans": None},
        {"confidence": 1.5},
        {"confidence": float("nan")},
        {"confidence": True},
        {"label": None},
        {"extra": 1},
    ],
)
def test_a_wrong_mention_is_refused(changes):
    assert from_record(mention(), "f").mentions[0].label == "X"
    with pytest.raises(ClinpromptError, match="CP-DOC-301"):
        from_record(mention(**changes), "f")


def test_what_could_not_be_read_is_not_written(tmp_path):
    twice = Document("d", "ab", (Mention("T1", "X", ((0, 1),)), Event("T1", "T1")))
    outside = Document("d", "ab", (Mention("T1", "X", ((0, 3),)),))
    for wrong, code in ((twice, "300"), (outside, "300"), (Document("d", "\ud800"), "303")):
        with pytest.raises(ClinpromptError, match=f"CP-DOC-{code}"):
            write(tmp_path / "out.jsonl", [FULL, wrong], WriteOptions(), Report())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "d", "text": "a"',
        '{"id": "d", "id": "e", "text": "a"}',
        '{"id": "d", "text": "\\ud800"}',
        "[" * 100_000,
        '{"id": "d", "text": "a"} x',
        "1" * 5000,
    ],
)
def test_a_broken_line_is_named(tmp_path, line):
    (tmp_path / "d.jsonl").write_text('{"id": "c", "text": ""}\n\n' + line + "\n")
    found = read(tmp_path / "d.jsonl", ReadOptions(), Report())
    assert next(found).id == "c"
    with pytest.raises(ClinpromptError, match=r"CP-DOC-302.*d\.jsonl:3"):
        next(found)


def test_other_files_of_a_folder_are_counted(tmp_path):
    write(tmp_path / "a.jsonl", [FULL], WriteOptions(), Report())
    (tmp_path / "b.NDJSON").write_text('{"id": "b", "text": ""}')
    (tmp_path / "README.txt").write_text("words")
    report = Report()
    assert [one.id for one in formats.read("jsonl", tmp_path, report)] == ["ward/17", "b"]
    assert report.counts == {"files that are not .jsonl": 1}


def test_ten_thousand_broken_files_give_no_traceback(tmp_path):
    """Each line is a document that can be written again, or an error that says what is wrong."""
    chance = random.Random(3)
    good = json.dumps(to_record(FULL), ensure_ascii=False)
    alphabet = '{}[]",:0123456789-.eE\\ud80truefalsn \x00\u2028é'
    outcomes = {True: 0, False: 0}
    for number in range(10_000):
        line = list(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(line))
            change = chance.randrange(3)
            if change == 0:
                del line[at : at + chance.randint(1, 20)]
            elif change == 1:
                line.insert(at, chance.choice(alphabet))
            else:
                line[at] = chance.choice(alphabet)
        text = "".join(line)
        # A new file each time: some file systems wait for the disk when one is written anew.
        path = tmp_path / f"{number}.jsonl"
        path.write_text(text, encoding="utf-8")
        try:
            found = list(read(path, ReadOptions(), Report()))
        except ClinpromptError as error:
            outcomes[False] += error.file == str(path)
        else:
            for one in found:
                assert from_record(to_record(one), "again") == one
            outcomes[True] += 1
        path.unlink()
    assert sum(outcomes.values()) == 10_000
    assert min(outcomes.values()) > 300
