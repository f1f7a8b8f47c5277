"""Texts with two marked mentions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clinprompt.corpora import Report, read
from clinprompt.corpora.marked import strip_marks
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Example, LabelAnswer, PairInput

HEAD, TAIL = ("<< ", " >>"), ("[[ ", " ]]")


def marked(folder: Path, *texts: str, **options: object) -> list[Example]:
    records = [{"text": text, "label": "INHIBITOR", "metadata": []} for text in texts]
    (folder / "x.txt").write_text("\n".join(json.dumps(record) for record in records) + "\n")
    files = [folder / "x.txt"]
    return read("marked-pairs", files, options, root=folder, split="dev", report=Report())


def mark(text: str, *mentions: tuple[int, int, tuple[str, str]]) -> str:
    for start, end, (opening, closing) in sorted(mentions, reverse=True):
        text = text[:start] + opening + text[start:end] + closing + text[end:]
    return text


AROUND, INSIDE = st.text("ab <>[]", max_size=8), st.text("ab <>[]", min_size=1, max_size=8)


@given(AROUND, INSIDE, AROUND, INSIDE, AROUND, st.permutations([HEAD, TAIL]))
def test_marks_are_taken_out(
    before: str, one: str, between: str, two: str, after: str, marks: list[tuple[str, str]]
) -> None:
    first, second = len(before), len(before + one + between)
    spans = (first, first + len(one)), (second, second + len(two))
    text = before + one + between + two + after
    marked_text = mark(text, (*spans[0], marks[0]), (*spans[1], marks[1]))
    # Marks that the text itself holds, or makes with a neighbour, are another matter.
    assume(all(marked_text.count(part) == 1 for pair in marks for part in pair))
    found = strip_marks(marked_text, *marks)
    assert (found.text, found.head, found.tail) == (text, *spans)


@pytest.mark.parametrize(
    ("text", "plain", "head", "tail"),
    [
        ("[[ a ]] and << b >>.", "a and b.", "b", "a"),
        ("<< a [[ b ]] c >>", "a b c", "a b c", "b"),
        ("x<< a >>[[ b ]]y", "xaby", "a", "b"),
        ("<< a >> [[(b) [[ c ]], d>>e >> f", "a [[(b) c, d>>e >> f", "a", "c"),
    ],
)
def test_positions(text: str, plain: str, head: str, tail: str) -> None:
    found = strip_marks(text, HEAD, TAIL)
    assert found.text == plain
    assert (plain[slice(*found.head)], plain[slice(*found.tail)]) == (head, tail)


def test_examples(tmp_path: Path) -> None:
    first, second, third = marked(
        tmp_path, "<< A >> hits [[ B ]].", "A hits << B >>, [[ C ]]", "A hits << B >>  [[ C ]]"
    )
    entities = Entity(((0, 1),), "entity"), Entity(((7, 8),), "entity")
    assert first.input == PairInput("A hits B.", *entities)
    assert first.answer == LabelAnswer("INHIBITOR")
    assert [first.id, second.id] == ["dev:1", "dev:2"]
    # The same words are the same document, whatever is marked.
    assert second.document == third.document != first.document
    assert first.document.startswith("text:")


def test_other_marks_and_types(tmp_path: Path) -> None:
    options = {"head": ["<d>", "</d>"], "tail": ["<e>", "</e>"], "types": ["Drug", "Effect"]}
    (example,) = marked(tmp_path, "<d>A</d> and <e>rash</e>", **options)
    expected = PairInput("A and rash", Entity(((0, 1),), "Drug"), Entity(((6, 10),), "Effect"))
    assert example.input == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("secret [[ b ]]", "mark '<< ' stands 0 times"),
        ("<< a >> << secret >> [[ b ]]", "mark '<< ' stands 2 times"),
        ("<< secret [[ b ]]", "not followed by ' >>'"),
        (">> << secret [[ b ]]", "not followed by ' >>'"),
        ("<< a [[ secret >> b ]]", "cross"),
        ("<<  >> [[ secret ]]", "empty"),
    ],
)
def test_wrong_marks_are_refused(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(ClinpromptError, match=part) as caught:
        marked(tmp_path, "<< A >> hits [[ B ]].", text)
    assert (caught.value.code, caught.value.line) == ("CP-DATA-031", 2)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "code"),
    [("{}", "CP-DATA-028"), ('{"text": "<< a >> [[ b ]]"}', "CP-DATA-028"), ("3", "CP-DATA-027")],
)
def test_malformed_records_are_refused(tmp_path: Path, line: str, code: str) -> None:
    (tmp_path / "x.txt").write_text(line)
    files = [tmp_path / "x.txt"]
    with pytest.raises(ClinpromptError) as caught:
        read("marked-pairs", files, {}, root=tmp_path, split="dev", report=Report())
    assert (caught.value.code, caught.value.line) == (code, 1)
