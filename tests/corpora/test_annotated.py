"""Annotated documents to examples: what a card can say, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.document_examples import make_examples
from clinprompt.corpora.document_options import DocumentOptions
from clinprompt.corpora.registry import Source
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Document,
    Event,
    Link,
    Mention,
)
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    QuestionInput,
    RelationAnswer,
    source_text,
)
from clinprompt.report import Report

Run = Callable[..., Any]
TEXT = "He smokes two packs. Quit beer.\nShe smokes."
ANN = """T1\tTobacco 3 9\tsmokes
T2\tAmount 10 19\ttwo packs
T3\tAlcohol 26 30\tbeer
T4\tStatus 21 25\tQuit
T5\tTobacco 36 42\tsmokes
T6\tStatus 36 42\tsmokes
T7\tAmount 10 13;14 19\ttwo packs
T8\tOther 0 2\tHe
E1\tTobacco:T1 Amount1:T2 Amount2:T7
E2\tAlcohol:T3 Status:T4
E3\tTobacco:T5 Status:T6
A1\tValue T4 past
A2\tNegated E2
R1\tNext Arg1:T3 Arg2:T1
R2\tFar Arg1:T1 Arg2:T5
"""
LABELS = {"Tobacco": "use", "Alcohol": "use", "Status": "status", "Amount": "amount"}


@pytest.fixture
def brat(tmp_path: Path) -> Path:
    (tmp_path / "n.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "n.ann").write_text(ANN, encoding="utf-8")
    return tmp_path


def labels_of(example: Example) -> list[tuple[str, str]]:
    assert isinstance(example.answer, EntityAnswer)
    text = source_text(example.input)
    return [(e.label, e.surface(text)) for e in example.answer.entities]


def relations_of(example: Example) -> list[tuple[str, str, str]]:
    assert isinstance(example.answer, RelationAnswer)
    text = source_text(example.input)
    return [(r.label, r.head.surface(text), r.tail.surface(text)) for r in example.answer.relations]


def test_mentions_as_they_are(brat: Path, run_reader: Run) -> None:
    (example,), report = run_reader("documents", brat)
    assert (example.id, example.document) == ("train:n", "n")
    assert labels_of(example)[:3] == [
        ("Other", "He"),
        ("Tobacco", "smokes"),
        ("Amount", "two packs"),
    ]
    assert len(labels_of(example)) == 8 and not report.counts


def test_labels_kept_renamed_and_with_the_values_of_attributes(brat: Path, run_reader: Run) -> None:
    options = {
        "attributes": ["Negated", "Value"],
        "labels": {"Status.past": "stopped", "Status": "status", "Alcohol.Negated": "no alcohol"},
        "document_prefix": "set:",
    }
    (example,), report = run_reader("documents", brat, options)
    assert labels_of(example) == [
        ("stopped", "Quit"),
        ("no alcohol", "beer"),
        ("status", "smokes"),
    ]
    assert example.document == "set:n"
    assert report.counts == {"mention of a type that was not asked for": 5}


def test_a_list_of_labels_names_them_as_they_are(brat: Path, run_reader: Run) -> None:
    (example,), _ = run_reader("documents", brat, {"labels": ["Status"]})
    assert labels_of(example) == [("Status", "Quit"), ("Status", "smokes")]


def test_events_as_relations(brat: Path, run_reader: Run) -> None:
    options = {
        "form": "list",
        "events": "arguments",
        "labels": LABELS,
        "names": {"Tobacco.Amount": "how much", "Alcohol.Status": "when", "Tobacco.Status": "when"},
        "relations": {"how much": ["use", "amount"], "when": ["use", "status"]},
    }
    (example,), report = run_reader("documents", brat, options)
    assert relations_of(example) == [
        ("how much", "smokes", "two packs"),
        ("how much", "smokes", "two packs"),
        ("when", "beer", "Quit"),
        ("when", "smokes", "smokes"),
    ]
    assert report.counts == {
        "mention of a type that was not asked for": 1,
        "relation of a type that was not asked for": 2,
    }


def test_links_by_type_and_direction(brat: Path, run_reader: Run) -> None:
    options = {
        "form": "list",
        "relations": {"Next": ["Tobacco", "Alcohol"], "Far": ["Tobacco", "Status"]},
        "swap": ["Next"],
    }
    (example,), report = run_reader("documents", brat, options)
    assert relations_of(example) == [("Next", "smokes", "beer")]
    assert report.counts == {"relation between other types than were asked for": 1}


def test_windows_and_relations_across_them(brat: Path, run_reader: Run) -> None:
    options = {
        "form": "list",
        "relations": {"Next": ["Alcohol", "Tobacco"], "Far": ["Tobacco", "Tobacco"]},
        "unit": "line",
    }
    examples, report = run_reader("documents", brat, options)
    assert [(e.id, source_text(e.input)) for e in examples] == [
        ("train:n:1", "He smokes two packs. Quit beer."),
        ("train:n:2", "She smokes."),
    ]
    assert [relations_of(e) for e in examples] == [[("Next", "beer", "smokes")], []]
    assert report.counts == {"relation whose ends lie in different parts of the text": 1}
    examples, _ = run_reader("documents", brat, {"unit": "window", "size": 4})
    assert [source_text(e.input) for e in examples] == [
        "He smokes two packs.",
        "Quit beer.\nShe smokes.",
    ]
    assert labels_of(examples[1]) == [
        ("Status", "Quit"),
        ("Alcohol", "beer"),
        ("Status", "smokes"),
        ("Tobacco", "smokes"),
    ]


def test_pairs(brat: Path, run_reader: Run) -> None:
    options = {
        "form": "pair",
        "relations": {"Next": ["Alcohol", "Tobacco"], "Far": ["Tobacco", "Tobacco"]},
        "negative_label": "none",
    }
    examples, _ = run_reader("documents", brat, options)
    got = {}
    for example in examples:
        assert isinstance(example.input, PairInput) and isinstance(example.answer, LabelAnswer)
        got[example.id] = example.answer.label
    assert got == {"train:n-T3-T1": "Next", "train:n-T1-T5": "Far", "train:n-T3-T5": "none"}
    examples, report = run_reader("documents", brat, {**options, "negatives": 0})
    assert len(examples) == 2 and report.counts["unrelated pair left out by sampling"] == 1


def test_a_pair_of_one_type_is_asked_in_the_direction_of_its_relation(
    tmp_path: Path, run_reader: Run
) -> None:
    (tmp_path / "n.txt").write_text("a b c")
    (tmp_path / "n.ann").write_text(
        "T1\tX 0 1\ta\nT2\tX 2 3\tb\nT3\tX 4 5\tc\nR1\tR Arg1:T3 Arg2:T1\n"
    )
    options = {"form": "pair", "relations": {"R": ["X", "X"]}}
    examples, _ = run_reader("documents", tmp_path, options)
    assert [(e.id, e.answer) for e in examples] == [
        ("train:n-T1-T2", LabelAnswer("none")),
        ("train:n-T2-T3", LabelAnswer("none")),
        ("train:n-T3-T1", LabelAnswer("R")),
    ]


def test_the_value_of_a_marked_mention(brat: Path, run_reader: Run) -> None:
    options = {
        "form": "attribute",
        "attributes": ["Value"],
        "names": {"past": "earlier"},
        "question": "When is {mention}?",
        "labels": ["Status"],
        "unit": "line",
    }
    (example,), report = run_reader("documents", brat, options)
    assert example.id == "train:n:1-T4" and example.answer == LabelAnswer("earlier")
    context = "He smokes two packs. <<Quit>> beer."
    assert example.input == QuestionInput("When is Quit?", context)
    assert report.counts["mention without the attribute"] == 1


def test_other_marks_where_the_text_has_these(tmp_path: Path, run_reader: Run) -> None:
    (tmp_path / "n.txt").write_text("<< [[ }} x y")
    (tmp_path / "n.ann").write_text("T1\tX 9 10;11 12\tx y\nA1\tV T1 1\n")
    options = {"form": "attribute", "attributes": ["V"], "question": "?"}
    (example,), _ = run_reader("documents", tmp_path, options)
    assert source_text(example.input) == "<< [[ }} <1<x>1> <1<y>1>"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"form": "list"}, "relations: form 'list' needs them"),
        ({"form": "attribute", "attributes": ["a"]}, "needs one of each"),
        ({"format": "brta"}, "did you mean 'brat'"),
        ({"label": {}}, "did you mean 'labels'"),
        ({"size": 0}, "size"),
    ],
)
def test_wrong_options(brat: Path, run_reader: Run, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ClinpromptError, match=said):
        run_reader("documents", brat, options)


def test_wrong_offsets_are_refused_with_file_and_line(brat: Path, run_reader: Run) -> None:
    (brat / "n.ann").write_text("T1\tTobacco 3 9\tsmokes\nT2\tAmount 11 20\ttwo packs\n")
    with pytest.raises(ClinpromptError, match=r"n\.ann:2"):
        run_reader("documents", brat)
    (example,), report = run_reader("documents", brat, {"mismatch": "realign"})
    assert labels_of(example)[1] == ("Amount", "two packs") and sum(report.counts.values()) == 1


@st.composite
def random_documents(draw: st.DrawFn) -> Document:
    text = draw(st.text(alphabet="ab A.\n🍺", min_size=1, max_size=40))
    found: list[Annotation] = []
    for number in range(draw(st.integers(0, 4))):
        cuts = draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=4, unique=True))
        spans = tuple(pairwise(sorted(cuts)))[::2]
        found.append(Mention(f"T{number}", draw(st.sampled_from("XY")), spans))
    ends = st.sampled_from(["T0", "T1", "T2", "T9", "E0"])
    for number in range(draw(st.integers(0, 3))):
        pair = tuple(Argument("Arg", draw(ends)) for _ in range(draw(st.integers(1, 3))))
        found.append(Link(f"R{number}", draw(st.sampled_from("RS")), pair))
    found.append(Event("E0", draw(ends), (Argument("To2", draw(ends)),)))
    found += [Attribute("A0", "V", draw(ends), draw(st.sampled_from([None, "1"])))]
    return Document("d", text, tuple(found))


@given(
    random_documents(),
    st.sampled_from(["mentions", "list", "pair", "attribute"]),
    st.sampled_from(["document", "line", "window"]),
    st.integers(1, 4),
)
def test_any_document_gives_whole_examples(
    document: Document, form: Any, unit: Any, size: int
) -> None:
    """Every mention and relation is in an example, or counted."""
    relations = {"R": ("X", "Y"), "X.To": ("X", "X")}
    options = DocumentOptions(
        form=form,
        unit=unit,
        size=size,
        relations=relations,
        events="arguments",
        attributes=("V",) if form == "attribute" else (),
        question="?",
    )
    source = Source(Path(), (Path("d"),), "train", Report())
    examples = list(make_examples([("d", document)], options, source))
    counts = source.report.counts
    if form == "mentions" and document.text.strip():
        kept = sum(len(e.answer.entities) for e in examples if isinstance(e.answer, EntityAnswer))
        assert kept + counts["mention that stands twice"] + counts[
            "mention of nothing but blanks"
        ] == len(document.mentions)
        surfaces = {m.surface(document.text) for m in document.mentions}
        for example in examples:
            assert {surface for _, surface in labels_of(example)} <= surfaces
    if form == "list" and document.text.strip():
        kept = sum(len(relations_of(example)) for example in examples)
        left = sum(n for reason, n in counts.items() if "relation" in reason or "event" in reason)
        assert kept + left == len(document.links) + 1
    assert len({example.id for example in examples}) == len(examples)


def test_empty_texts_and_repeated_documents(tmp_path: Path, run_reader: Run) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "n.txt").write_text(" \n")
        (tmp_path / folder / "n.ann").write_text("")
    examples, report = run_reader("documents", tmp_path / "a")
    assert examples == [] and report.counts == {"empty text": 1}
    with pytest.raises(ClinpromptError, match="CP-DATA-050"):
        run_reader("documents", [tmp_path / "a", tmp_path / "b"])


def test_i2b2_2010_assertions(tmp_path: Path, run_reader: Run) -> None:
    (tmp_path / "n.txt").write_text("No fever .\nA cough .\n")
    (tmp_path / "n.con").write_text(
        'c="fever" 1:1 1:1||t="problem"\nc="a cough" 2:0 2:1||t="problem"\n'
    )
    (tmp_path / "n.ast").write_text('c="fever" 1:1 1:1||t="problem"||a="absent"\n')
    options = {
        "form": "attribute",
        "attributes": ["assertion"],
        "question": "{mention}?",
        "unit": "line",
    }
    (example,), report = run_reader("i2b2-2010", tmp_path, options)
    assert example.input == QuestionInput("fever?", "No <<fever>> .")
    assert example.answer == LabelAnswer("absent")
    assert report.counts == {"mention without the attribute": 1}
