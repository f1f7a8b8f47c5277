from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from clinprompt.examples import QuestionInput, SpanAnswer
from clinprompt.metrics import Item, score
from clinprompt.metrics.texts import exact_match, normalise, token_f1

WORDS = st.lists(
    st.sampled_from(["the", "patient", "patients", "has", "had", "fever", "no", "fevers"]),
    min_size=2,
    max_size=8,
).map(" ".join)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_rouge_agrees_with_the_library(make_card, text_item, pairs: list) -> None:
    items = [text_item([gold], text, name=str(n)) for n, (gold, text) in enumerate(pairs)]
    scores = score(make_card("text"), items, resamples=5)
    library = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for name in ("rouge1", "rouge2", "rougeL"):
        single = [library.score(gold, text)[name].fmeasure for gold, text in pairs]
        assert scores.metrics[name].value == pytest.approx(100 * sum(single) / len(single))


def test_rouge_stems_and_ignores_line_breaks(make_card, text_item) -> None:
    scores = score(make_card("text"), [text_item(["fevers\nrising"], "fever rising")])
    assert scores.metrics["rougeL"].value == scores.metrics["rouge2"].value == 100
    assert scores.metrics["exact_match"].value == 0


def test_each_metric_takes_its_best_reference(make_card, text_item) -> None:
    references = ["a b c d", "x y d c"]
    both = score(make_card("text"), [text_item(references, "c d x y")])
    for name in ("rouge1", "rouge2", "rougeL", "token_f1", "exact_match"):
        alone = [
            score(make_card("text"), [text_item([reference], "c d x y")]).metrics[name].value
            for reference in references
        ]
        assert both.metrics[name].value == max(alone)
    assert both.metrics["rouge1"].value == 100
    assert both.metrics["rouge2"].value == pytest.approx(100 / 3)


def test_unparsable_text_scores_zero(make_card, text_item) -> None:
    items = [text_item(["some words"], "some words", "1"), text_item(["more words"], None, "2")]
    scores = score(make_card("text"), items)
    assert {estimate.value for estimate in scores.metrics.values()} == {50}
    assert scores.per_label == {} and scores.counts["unanswered"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Fever!", "fever"),
        ("an apple, a day", "apple day"),
        ("2.5 mg", "25 mg"),
        ("Theophylline", "theophylline"),
        ("state-of-the-art", "stateoftheart"),
        ("β-blocker", "βblocker"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("predicted", "gold", "match", "f1"),
    [
        ("The fever.", "fever", 1, 1),
        ("high fever", "fever", 0, 2 / 3),
        ("fever fever", "fever", 0, 2 / 3),
        ("no no fever", "no no cough", 0, 2 / 3),  # a word counts as often as it is in both
        ("cough", "fever", 0, 0),
        ("", "fever", 0, 0),
        ("", "", 1, 1),
        ("+", "-", 0, 0),
        ("-", " - ", 1, 1),
        ("the", "fever", 0, 0),
    ],
)
def test_exact_match_and_token_f1(predicted: str, gold: str, match: float, f1: float) -> None:
    assert exact_match(predicted, gold) == match
    assert token_f1(predicted, gold) == pytest.approx(f1)


@given(st.text(), st.text())
def test_both_are_symmetric_and_bounded(left: str, right: str) -> None:
    assert exact_match(left, right) == exact_match(right, left)
    assert exact_match(left, right) <= token_f1(left, right) <= 1
    assert token_f1(left, right) == token_f1(right, left)
    assert exact_match(left, left) == token_f1(left, left) == 1


# ---- extractive answers ------------------------------------------------------------------------

CONTEXT = "The fever began on day two, and the cough on day nine."


def span_item(name: str, gold: tuple, predicted: tuple | None) -> Item:
    answer = None if predicted is None else SpanAnswer(predicted)
    return Item(name, name, QuestionInput("When?", CONTEXT), SpanAnswer(gold), answer)


def test_spans_are_compared_by_their_text(make_card) -> None:
    day_two, day_nine = (19, 26), (45, 53)
    assert CONTEXT[19:26] == "day two" and CONTEXT[45:53] == "day nine"
    items = [
        span_item("1", (day_two,), (day_two,)),
        span_item("2", (day_two,), (day_nine,)),
        span_item("3", (day_two,), ()),
        span_item("4", (), ()),
    ]
    scores = score(make_card("span"), items)
    assert scores.metrics["exact_match"].value == 50
    assert scores.value == pytest.approx(100 * (1 + 0.5 + 0 + 1) / 4)
    assert scores.metrics["exact_match_answerable"].value == pytest.approx(100 / 3)
    assert scores.metrics["token_f1_answerable"].value == 50
    assert scores.counts["answerable"] == 3


def test_no_answer_is_right_only_if_it_is_said(make_card) -> None:
    card = make_card("span")
    assert score(card, [span_item("1", (), ())]).value == 100
    assert score(card, [span_item("1", (), None)]).value == 0
    assert score(card, [span_item("1", (), ((0, 3),))]).value == 0  # "The": nothing after cleaning
    assert "token_f1_answerable" not in score(card, [span_item("1", (), ())]).metrics


def test_pieces_of_a_span_answer_are_joined_in_the_order_of_the_text(make_card) -> None:
    item = span_item("1", ((4, 9), (36, 41)), ((36, 41), (4, 9)))
    assert score(make_card("span", metric="exact_match"), [item]).value == 100
