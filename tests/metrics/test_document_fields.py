"""Fields of the metadata: the same numbers as `score` gives the same answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference import world
from tests.metrics.annotated import TEXT, doc, mention

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.examples import LabelAnswer, QuestionInput, TextAnswer, TextInput
from clinprompt.metrics import Item, score
from clinprompt.metrics.documents import DocumentScores, Settings, score_documents


def note(name: str, *facts: tuple[str, str]) -> Document:
    return Document(name, TEXT, metadata=facts)


def scored(gold: list[Document], predicted: list[Document], **chosen: object) -> DocumentScores:
    return score_documents(gold, predicted, Settings(**{"resamples": 40, **chosen}))  # type: ignore[arg-type]


_words = st.lists(st.sampled_from(["the", "fever", "+", "no", "pains", ""]), max_size=5).map(
    " ".join
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.lists(_words, min_size=1, max_size=3), st.none() | _words), min_size=1)
)
def test_texts_are_scored_as_evaluate_does(
    rows: list[tuple[list[str], str | None]],
) -> None:
    card = world.card("summary")
    gold, predicted, items = [], [], []
    for number, (references, text) in enumerate(rows):
        name = f"{number:03}"
        answer = TextAnswer(references[0], tuple(references[1:]))
        given_ = None if text is None else TextAnswer(text)
        items.append(Item(name, name, TextInput(TEXT), answer, given_))
        gold.append(note(name, *(("summary", one) for one in references)))
        predicted.append(note(name, *(() if text is None else [("summary", text)])))
    expected = score(card, items, resamples=40)
    found = scored(gold, predicted, fields={"summary": "text"}).fields["summary"]
    assert found.metrics.keys() == expected.metrics.keys()
    for name, one in expected.metrics.items():
        same = found.metrics[name]
        assert (same.value, same.low, same.high) == pytest.approx((one.value, one.low, one.high)), (
            name
        )
    assert found.counts["without_field"] == sum(text is None for _, text in rows)
    assert found.counts["references"] == sum(len(references) for references, _ in rows)


_labels = st.sampled_from("ynm")


@settings(max_examples=60)
@given(st.lists(st.tuples(_labels, st.none() | _labels), min_size=1), st.sets(_labels, max_size=2))
def test_labels_are_scored_as_evaluate_does(
    rows: list[tuple[str, str | None]], negative: set[str]
) -> None:
    card = world.card("label", negative_labels=sorted(negative))
    gold, predicted, items = [], [], []
    for number, (right, label) in enumerate(rows):
        name = f"{number:03}"
        given_ = None if label is None else LabelAnswer(label)
        items.append(Item(name, name, QuestionInput("?", TEXT), LabelAnswer(right), given_))
        gold.append(note(name, ("status", right)))
        predicted.append(note(name, *(() if label is None else [("status", label)])))
    expected = score(card, items, resamples=40)
    chosen = {"fields": {"status": "label"}, "negative_labels": tuple(negative)}
    found = scored(gold, predicted, **chosen).fields["status"]
    for name, one in found.metrics.items():
        same = expected.metrics[name]
        assert (same.value, same.low, same.high) == pytest.approx((one.value, one.low, one.high)), (
            name
        )
    assert {"accuracy", "macro_f1"} <= found.metrics.keys()
    for label, row in found.labels.items():
        other = expected.tables["label"][label]
        assert (row.tp, row.fp, row.fn, row.f1) == (other.tp, other.fp, other.fn, other.f1)
    assert sum(sum(row.values()) for row in found.confusion.values()) == len(rows)


def test_what_is_missing_is_wrong_and_counted() -> None:
    gold = [note(name, ("s", "a b"), ("l", "yes")) for name in "abc"] + [note("d")]
    predicted = [note("a", ("s", "a b"), ("l", "yes")), note("b"), note("d", ("s", "a b"))]
    found = scored(gold, predicted, fields={"s": "text", "l": "label"}).fields
    assert found["s"].metrics["exact_match"].value == pytest.approx(100 / 3)
    assert found["l"].metrics["accuracy"].value == pytest.approx(100 / 3)
    assert found["l"].metrics["micro_f1"].value == pytest.approx(50)  # 1 right, 2 missed
    assert found["s"].counts == {
        "documents": 3,
        "not_predicted": 1,
        "without_field": 1,
        "without_gold": 1,
        "references": 3,
    }
    assert found["s"].documents["a"]["rougeL"] == 100
    assert found["s"].documents["c"]["rougeL"] == 0
    assert "d" not in found["s"].documents


def test_an_extra_document_has_nothing_to_compare_with() -> None:
    gold, extra = [note("a", ("s", "x"))], note("b", ("s", "x"))
    chosen = {"fields": {"s": "text"}, "extra_documents": "count"}
    found = scored(gold, [*gold, extra], **chosen).fields["s"]
    assert found.metrics["exact_match"].value == 100
    assert found.counts["without_gold"] == 1
    quiet = scored(gold, [*gold, note("b")], **chosen).fields["s"]
    assert quiet.counts["without_gold"] == 0


def test_mentions_are_not_listed_where_fields_alone_are_there() -> None:
    one = [note("a", ("s", "x"))]
    assert not scored(one, one, fields={"s": "text"}).sections
    assert "entities.exact" in scored(one, one).sections
    both = [Document("a", TEXT, (mention("T1", "Drug", (0, 4)),), metadata=(("s", "x"),))]
    assert "entities.exact" in scored(both, both, fields={"s": "text"}).sections


def test_facts_that_differ_are_pointed_out() -> None:
    gold, predicted = note("a", ("s", "x"), ("date", "1")), note("a", ("s", "y"), ("date", "1"))
    said = "metadata that differ and are not scored unless asked for: s"
    assert said in scored([gold], [predicted]).notes
    assert said not in scored([gold], [predicted], fields={"s": "text"}).notes
    assert not scored([gold], [gold]).notes


def test_n2c2_mode_has_no_fields() -> None:
    one = [note("a", ("s", "x"))]
    found = scored(one, one, mode="n2c2", fields={"s": "text"})
    assert not found.fields
    assert "attributes by themselves and fields are scored in clean mode only" in found.notes


@pytest.mark.parametrize(
    ("gold", "predicted", "kind", "code"),
    [
        ([("s", "x")], [], "text", None),
        ([("t", "x")], [("s", "x")], "text", "CP-EVAL-170"),
        ([("s", "")], [], "label", "CP-EVAL-170"),
        ([("s", "x"), ("s", "y")], [("s", "x")], "text", None),
        ([("s", "x"), ("s", "y")], [], "label", "CP-EVAL-171"),
        ([("s", "x")], [("s", "x"), ("s", "y")], "text", "CP-EVAL-171"),
    ],
)
def test_fields_that_can_not_be_scored_are_refused(
    gold: list[tuple[str, str]], predicted: list[tuple[str, str]], kind: str, code: str | None
) -> None:
    sides = [note("a", *gold)], [note("a", *predicted)]
    if code is None:
        assert scored(*sides, fields={"s": kind}).fields
        return
    with pytest.raises(ClinpromptError) as caught:
        scored(*sides, fields={"s": kind})
    assert caught.value.code == code


def test_a_field_mistyped_is_told_what_is_there() -> None:
    one = [doc(id="a"), note("b", ("summary", "x"))]
    with pytest.raises(ClinpromptError, match="sumary") as caught:
        scored(one, one, fields={"sumary": "text"})
    assert "summary" in (caught.value.hint or "")
