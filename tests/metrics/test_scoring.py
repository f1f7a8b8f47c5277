from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, LabelAnswer, PairInput, TextAnswer, TextInput
from clinprompt.metrics import FORM_METRICS, check_metrics, paired_bootstrap, score

LABELS = ("Drug", "Gene")
SPAN = st.tuples(st.integers(0, 20), st.integers(1, 5)).map(lambda s: (s[0], s[0] + s[1]))
MENTIONS = st.lists(st.tuples(st.sampled_from(LABELS), SPAN), max_size=5)
SETS = st.lists(
    st.tuples(MENTIONS, st.none() | MENTIONS, st.sampled_from("abc")), min_size=1, max_size=6
)


@given(SETS, st.randoms())
def test_order_of_items_changes_nothing(
    make_card, entity_item, sets: list, shuffler: random.Random
) -> None:
    items = [entity_item(g, p, name=str(n), document=d) for n, (g, p, d) in enumerate(sets)]
    card = make_card("mentions", *LABELS)
    before = score(card, items, resamples=30)
    shuffler.shuffle(items)
    assert score(card, items, resamples=30) == before


@given(st.lists(st.sampled_from(["no fever", "fever of 39", "no cough at all"]), min_size=2))
def test_order_of_texts_changes_no_bit(make_card, text_item, texts: list[str]) -> None:
    items = [
        replace(text_item(["no fever at all"], text, name=str(n)), document=str(n % 3))
        for n, text in enumerate(texts)
    ]
    card = make_card("text")
    assert score(card, items, resamples=9) == score(card, items[::-1], resamples=9)


@given(st.lists(MENTIONS, min_size=1, max_size=5))
def test_the_gold_answer_scores_100(make_card, entity_item, golds: list) -> None:
    items = [entity_item(gold, gold, name=str(n)) for n, gold in enumerate(golds)]
    scores = score(make_card("mentions", *LABELS), items, resamples=20)
    assert {(e.value, e.low, e.high) for e in scores.metrics.values()} == {(100, 100, 100)}


def test_gold_labels_and_texts_score_100(make_card, label_items, text_item) -> None:
    gold = ["yes", "no", "no"]
    labels = score(make_card("label", "yes", "no"), label_items(gold, gold))
    texts = score(make_card("text"), [text_item(["no fever"], "no fever")])
    for scores in (labels, texts):
        assert {(e.value, e.low, e.high) for e in scores.metrics.values()} == {(100, 100, 100)}


def test_json_holds_everything_and_is_plain(make_card, entity_item) -> None:
    items = [
        entity_item([("Drug", (0, 4))], [("Drug", (0, 4)), ("Gene", (5, 9))], truncated=True),
        entity_item([("Gene", (0, 4))], None, name="2", document="1", unparsable=3, unaligned=1),
    ]
    scores = score(make_card("mentions", *LABELS), items, resamples=50, seed=2)
    content = scores.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["metric"] == "entity_f1" and content["value"] == scores.value == 50
    assert content["metrics"]["entity_f1"] == {"value": 50.0, "low": 50.0, "high": 50.0}
    assert content["per_label"]["strict"]["Gene"] == {
        "tp": 0, "fp": 1, "fn": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1,
    }  # fmt: skip
    assert content["counts"] == {
        "examples": 2, "documents": 1, "unanswered": 1, "unaligned": 1, "unparsable": 3,
        "truncated": 1, "gold_mentions": 2, "predicted_mentions": 2, "duplicate_gold": 0,
        "duplicate_predicted": 0,
    }  # fmt: skip
    assert content["confusion"] is None
    assert content["bootstrap"] == {"resamples": 50, "seed": 2, "level": 0.95}


def test_main_table_follows_the_main_metric(make_card, entity_item) -> None:
    item = entity_item([("Drug", (0, 4))], [("Drug", (0, 3))])
    strict = score(make_card("mentions", "Drug"), [item])
    lenient = score(make_card("mentions", "Drug", metric="entity_f1_lenient"), [item])
    assert (strict.value, strict.per_label["Drug"].tp) == (0, 0)
    assert (lenient.value, lenient.per_label["Drug"].tp) == (100, 1)


@pytest.mark.parametrize("form", FORM_METRICS)
def test_every_listed_metric_can_be_the_main_one(form: str, make_card) -> None:
    labels = ("yes", "no") if form in ("mentions", "list", "pair", "label") else ()
    for metric in FORM_METRICS[form]:
        check_metrics(make_card(form, *labels, metric=metric))


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        ("mentions", {"metric": "rougeL"}),
        ("choice", {"metric": "macro_f1"}),
        ("label", {"metric": "accuracy", "metrics": ["entity_f1"]}),
        ("label", {"metric": "micro_f1", "negative_labels": ["yes", "no"]}),
    ],
)
def test_metric_that_does_not_fit_is_refused(form: str, keys: dict, make_card, label_items) -> None:
    labels = () if form == "choice" else ("yes", "no")
    with pytest.raises(ClinpromptError, match=r"CP-EVAL-002.*use one of"):
        score(make_card(form, *labels, **keys), label_items(["yes"], ["no"]))


def test_bad_items_are_refused(make_card, entity_item, label_items) -> None:
    card = make_card("mentions", "Drug")
    good = entity_item([("Drug", (0, 4))], [("Drug", (0, 4))])
    pair_input = PairInput("text", good.gold.entities[0], good.gold.entities[0])
    cases = {
        "CP-EVAL-001": [],
        "CP-EVAL-004.*'1'": [good, good],
        "CP-EVAL-003.*input is PairInput.*needs TextInput": [replace(good, input=pair_input)],
        "CP-EVAL-003.*gold is NoneType": [replace(good, gold=None)],
        "CP-EVAL-003.*gold is TextAnswer": [replace(good, gold=TextAnswer("secret"))],
        "CP-EVAL-003.*predicted is LabelAnswer": [replace(good, predicted=LabelAnswer("Drug"))],
        "CP-EVAL-005.*gold label 'Gene'": [entity_item([("Gene", (0, 4))], [])],
        "CP-EVAL-005.*a predicted label": [entity_item([], [("secret", (0, 4))])],
        "CP-EVAL-006.*gold span 8-12.*10 characters": [
            replace(entity_item([("Drug", (8, 12))], []), input=TextInput("0123456789"))
        ],
        "CP-EVAL-006.*predicted span 4-4": [entity_item([], [("Drug", (4, 4))])],
    }
    for pattern, items in cases.items():
        with pytest.raises(ClinpromptError, match=pattern) as caught:
            score(card, items)
        assert "secret" not in str(caught.value)
    with pytest.raises(ClinpromptError, match="CP-EVAL-005"):
        score(make_card("label", "yes"), label_items(["no"], [None]))


def test_comparing_with_oneself_and_the_other_way_round(make_card, label_items) -> None:
    card = make_card("label", "yes", "no")
    a = label_items(["yes"] * 40, ["yes", "yes", "no", "yes"] * 10)
    b = label_items(["yes"] * 40, ["no", "yes"] * 20)
    same = paired_bootstrap(card, a, a[::-1])
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    there, back = paired_bootstrap(card, a, b), paired_bootstrap(card, b, a)
    assert there.difference == -back.difference == pytest.approx(25)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == back.p_value < 0.05
    assert json.loads(json.dumps(there.to_json()))["documents"] == 40


def test_pairing_makes_the_interval_narrower(make_card, label_items) -> None:
    """Two systems that fail on the same hard examples differ with little noise."""
    card = make_card("label", "yes", "no")
    a = label_items(["yes"] * 100, ["yes"] * 60 + ["no"] * 40)
    b = label_items(["yes"] * 100, ["yes"] * 55 + ["no"] * 45)
    result, alone = paired_bootstrap(card, a, b), score(card, a)
    assert result.high - result.low < 0.6 * (alone.high - alone.low)


def test_other_metrics_can_be_compared(make_card, entity_item) -> None:
    card = make_card("mentions", "Drug")
    a = [entity_item([("Drug", (0, 4))], [("Drug", (0, 3))])]
    b = [entity_item([("Drug", (0, 4))], [])]
    assert paired_bootstrap(card, a, b).difference == 0
    assert paired_bootstrap(card, a, b, metric="entity_recall_lenient").difference == 100
    with pytest.raises(ClinpromptError, match=r"CP-EVAL-002.*'rouge1'"):
        paired_bootstrap(card, a, b, metric="rouge1")


def test_different_examples_are_not_compared(make_card, entity_item, text_item) -> None:
    card = make_card("mentions", "Drug")
    item = entity_item([("Drug", (0, 4))], [])
    others = (
        replace(item, id="2"),
        replace(item, document="2"),
        replace(item, gold=EntityAnswer(())),
        replace(item, input=TextInput("y" * 2000)),
    )
    for other in others:
        with pytest.raises(ClinpromptError, match=r"CP-EVAL-009.*differ in"):
            paired_bootstrap(card, [item], [other])
    assert paired_bootstrap(card, [item], [replace(item, predicted=None)]).difference == 0
    text, more = text_item(["one"], "one"), text_item(["one", "two"], "one")
    with pytest.raises(ClinpromptError, match="CP-EVAL-009"):
        paired_bootstrap(make_card("text"), [text], [more])
