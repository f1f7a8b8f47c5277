from __future__ import annotations

import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from clinprompt.examples import LabelAnswer, QuestionInput
from clinprompt.metrics import Item, score
from clinprompt.metrics.choices import NO_ANSWER

LABELS = ("none", "agonist", "inhibitor", "substrate")
PAIRS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, None))), min_size=1, max_size=30
)


def as_sklearn(predicted: list[str | None]) -> list[str]:
    return [NO_ANSWER if label is None else label for label in predicted]


@given(PAIRS)
def test_agrees_with_scikit_learn(make_card, label_items, pairs: list) -> None:
    gold, predicted = map(list, zip(*pairs, strict=True))
    card = make_card("label", *LABELS, metric="macro_f1", negative_labels=["none"])
    scores = score(card, label_items(gold, predicted), resamples=1)
    guesses = as_sklearn(predicted)
    present = [label for label in LABELS if label in gold or label in guesses]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = f1_score(gold, guesses, labels=present, average="macro", zero_division=0)
        micro = f1_score(gold, guesses, labels=LABELS[1:], average="micro", zero_division=1)
        rows = precision_recall_fscore_support(gold, guesses, labels=present, zero_division=0)
    assert scores.metrics["accuracy"].value == pytest.approx(100 * accuracy_score(gold, guesses))
    assert scores.value == pytest.approx(100 * macro)
    assert scores.metrics["micro_f1"].value == pytest.approx(100 * micro)
    for label, *expected in zip(present, *rows, strict=True):
        row = scores.per_label[label]
        assert [row.precision, row.recall, row.f1] == pytest.approx([100 * x for x in expected[:3]])
        assert row.support == expected[3]
    matrix = confusion_matrix(gold, guesses, labels=[*LABELS, NO_ANSWER])
    assert scores.confusion is not None
    assert [list(row.values()) for row in scores.confusion.values()] == matrix[:-1].tolist()


def test_macro_f1_is_the_library_default_over_labels_that_occur(make_card, label_items) -> None:
    rng = random.Random(0)
    gold, predicted = ([rng.choice(LABELS[:3]) for _ in range(50)] for _ in range(2))
    scores = score(make_card("label", *LABELS, metric="macro_f1"), label_items(gold, predicted))
    assert scores.value == pytest.approx(100 * f1_score(gold, predicted, average="macro"))
    assert scores.per_label["substrate"].support == 0


def test_an_unparsable_answer_is_a_miss_but_no_false_positive(make_card, label_items) -> None:
    scores = score(make_card("label", "yes", "no"), label_items(["yes", "no"], ["yes", None]))
    assert scores.value == 50
    assert (scores.per_label["no"].fn, scores.per_label["yes"].fp) == (1, 0)
    assert scores.confusion == {
        "yes": {"yes": 1, "no": 0, NO_ANSWER: 0},
        "no": {"yes": 0, "no": 0, NO_ANSWER: 1},
    }
    assert scores.counts["unanswered"] == 1


def test_micro_f1_without_negative_labels_is_accuracy_if_all_answers_parse(
    make_card, label_items
) -> None:
    items = label_items(["yes", "no", "no"], ["yes", "yes", "no"])
    scores = score(make_card("label", "yes", "no"), items)
    assert scores.metrics["micro_f1"].value == pytest.approx(scores.value)


def test_only_negative_examples_answered_right_are_perfect(make_card, label_items) -> None:
    card = make_card("label", *LABELS, metric="micro_f1", negative_labels=["none"])
    assert score(card, label_items(["none"] * 3, ["none"] * 3)).value == 100
    assert score(card, label_items(["none"] * 3, ["none", "none", "agonist"])).value == 0


def choice_item(name: str, gold: str, predicted: str | None, options: int) -> Item:
    value = QuestionInput("Which?", choices=tuple(f"option {n}" for n in range(options)))
    answer = None if predicted is None else LabelAnswer(predicted)
    return Item(name, name, value, LabelAnswer(gold), answer)


def test_choices_with_different_numbers_of_options(make_card) -> None:
    items = [
        choice_item("1", "A", "A", options=4),
        choice_item("2", "E", "B", options=5),
        choice_item("3", "C", None, options=4),
        choice_item("4", "D", "D", options=4),
    ]
    scores = score(make_card("choice"), items)
    assert scores.value == 50
    assert list(scores.per_label) == ["A", "B", "C", "D", "E"]
    assert list(scores.metrics) == ["accuracy"]
    assert scores.per_label["B"].fp == 1
