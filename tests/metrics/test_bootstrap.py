from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextInput,
)
from clinprompt.metrics import Item, bootstrap_draws, paired_bootstrap, score
from clinprompt.metrics.bootstrap import interval, p_value, resample

DOCUMENTS = 8


def drawn(items: Sequence[Item], numbers: Sequence[int]) -> list[Item]:
    """The items of the drawn documents; a document drawn twice is two documents."""
    names = sorted({item.document for item in items})
    return [
        replace(item, id=f"{copy}/{item.id}", document=f"{copy}")
        for copy, number in enumerate(numbers)
        for item in items
        if item.document == names[number]
    ]


def a_set(form: str, entity_item, label_items, text_item) -> list[Item]:
    """Sixteen items in eight documents of unequal size, right and wrong ones."""
    rng = np.random.default_rng(7)
    documents = [f"d{n}" for n in rng.permutation([*range(DOCUMENTS), *rng.integers(0, 8, 8)])]
    items: list[Item] = []
    for n, document in enumerate(documents):
        coin = rng.random() < 0.5
        spans = [(int(s), int(s) + 3) for s in rng.integers(0, 40, 3)]
        if form == "mentions":
            gold = [(str(rng.choice(["Drug", "Gene"])), span) for span in spans[:2]]
            item = entity_item(gold, gold[:1] if coin else [("Gene", spans[2])])
        elif form == "list":
            head, tail = Entity((spans[0],), "A", f"C{n % 3}"), Entity((spans[1],), "B", "C9")
            gold = RelationAnswer((Relation(head, tail, "causes"),))
            value = TextInput("x" * 50, mentions=(head, tail))
            item = Item("", "", value, gold, gold if coin else RelationAnswer(()))
        elif form == "span":
            value = QuestionInput("?", "one two three four five six seven eight nine ten")
            gold = SpanAnswer(() if n % 5 == 0 else (spans[0],))
            item = Item("", "", value, gold, gold if coin else SpanAnswer((spans[1],)))
        elif form == "text":
            item = text_item(["no fever since monday"], "fever since friday" if coin else "none")
        else:
            (item,) = label_items(["yes"] if n % 3 else ["no"], ["yes"] if coin else [None])
        items.append(replace(item, id=str(n), document=document))
    return items


@pytest.mark.parametrize("form", ["mentions", "list", "label", "span", "text"])
def test_intervals_equal_scoring_every_resample_anew(
    form: str, make_card, entity_item, label_items, text_item
) -> None:
    labels = {"mentions": ["Drug", "Gene"], "list": ["causes"], "label": ["yes", "no"]}
    more = {"metrics": ["concept_relation_f1"]} if form == "list" else {}
    card = make_card(form, *labels.get(form, []), **more)
    items = a_set(form, entity_item, label_items, text_item)
    fast = score(card, items, resamples=25, seed=3)
    numbers = np.random.default_rng(3).integers(DOCUMENTS, size=(25, DOCUMENTS))
    slow = [score(card, drawn(items, row), resamples=1) for row in numbers]
    for name, estimate in fast.metrics.items():
        values = [100.0 if name not in one.metrics else one.metrics[name].value for one in slow]
        low, high = np.percentile(values, [2.5, 97.5])
        assert (estimate.low, estimate.high) == pytest.approx((low, high)), name
    assert fast.low < fast.high


def test_paired_difference_equals_scoring_every_resample_anew(make_card, label_items) -> None:
    gold = ["yes", "no"] * 4
    a = label_items(gold, ["yes", "no", "yes", "no", "yes", "yes", "yes", None])
    b = label_items(gold, ["yes", "yes", "no", "no", "no", "yes", None, "no"])
    card = make_card("label", "yes", "no", metric="macro_f1")
    result = paired_bootstrap(card, a, b, resamples=40, seed=5)
    numbers = np.random.default_rng(5).integers(DOCUMENTS, size=(40, DOCUMENTS))
    differences = np.array(
        [
            score(card, drawn(a, row), resamples=1).value
            - score(card, drawn(b, row), resamples=1).value
            for row in numbers
        ]
    )
    assert result.difference == pytest.approx(score(card, a).value - score(card, b).value)
    assert (result.low, result.high) == pytest.approx(
        tuple(np.percentile(differences, [2.5, 97.5]))
    )
    extreme = np.abs(differences - result.difference) >= abs(result.difference) - 1e-9
    assert result.p_value == pytest.approx((1 + extreme.sum()) / 41)


def test_same_seed_same_interval(make_card, label_items) -> None:
    card = make_card("label", "yes", "no")
    items = label_items(["yes", "no"] * 60, ["yes", "no", "no"] * 40)
    assert score(card, items, seed=1) == score(card, items, seed=1)
    assert score(card, items, seed=1).metrics != score(card, items, seed=2).metrics
    assert score(card, items, seed=1).value == score(card, items, seed=2).value


def test_the_unit_is_the_document(make_card, label_items) -> None:
    """Ten copies of every example inside its document tell nothing new."""
    card = make_card("label", "yes", "no")
    items = label_items(["yes"] * 20, ["yes", "no"] * 10)
    copies = [replace(item, id=f"{item.id}/{n}") for item in items for n in range(10)]
    one, ten = score(card, items), score(card, copies)
    assert ten.metrics == one.metrics
    alone = score(card, [replace(item, document=item.id) for item in copies])
    assert alone.high - alone.low < 0.5 * (ten.high - ten.low)


def test_draws_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).integers(0, 5, size=(37, 4)).astype(float)
    whole = resample(rows, 50, seed=4)
    monkeypatch.setattr("clinprompt.metrics.bootstrap._CELLS", 100)
    assert np.array_equal(resample(rows, 50, seed=4), whole)


def test_intervals_cover_the_truth() -> None:
    """Of 200 samples with a known rate of 0.7, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        rows = np.column_stack([rng.random(120) < 0.7, np.ones(120)]).astype(float)
        sums = resample(rows, 400, seed=trial)
        low, high = interval(sums[:, 0] / sums[:, 1])
        hits += low <= 0.7 <= high
    assert 180 <= hits <= 199


def test_p_values_are_calibrated_and_find_real_differences() -> None:
    rng = np.random.default_rng(1)
    small = 0
    for trial in range(200):
        rows = (rng.random((100, 2)) < 0.6).astype(float)  # two systems of the same rate
        sums = resample(rows, 300, seed=trial) / 100
        observed = float(np.subtract(*rows.mean(0)))
        small += p_value(observed, sums[:, 0] - sums[:, 1]) < 0.05
    assert 2 <= small <= 22
    rows = np.column_stack([rng.random(200) < 0.8, rng.random(200) < 0.5]).astype(float)
    sums = resample(rows, 1000, seed=0) / 200
    assert p_value(float(np.subtract(*rows.mean(0))), sums[:, 0] - sums[:, 1]) == 1 / 1001


def test_resamples_must_be_positive(make_card, label_items) -> None:
    with pytest.raises(ClinpromptError, match="CP-EVAL-008"):
        score(make_card("label", "yes", "no"), label_items(["yes"], ["no"]), resamples=0)


def test_one_document_has_an_interval_of_no_width(make_card, label_items) -> None:
    scores = score(make_card("label", "yes", "no"), label_items(["yes"], ["yes"]))
    assert scores.low == scores.value == scores.high == 100


def test_draws_of_two_sets_are_paired(label_items, make_card):
    gold = ["yes", "no", "yes", "no", "yes", "no", "yes", "no"]
    a = label_items(gold, ["yes", "no", "yes", "no", "yes", "yes", "yes", None])
    b = label_items(gold, ["yes", "yes", "no", "no", "no", "yes", None, "no"])
    card = make_card("label", "yes", "no", metric="macro_f1")
    (value_a, draws_a), (value_b, draws_b) = (
        bootstrap_draws(card, side, resamples=40, seed=5) for side in (a, b)
    )
    expected = paired_bootstrap(card, a, b, resamples=40, seed=5)
    assert (value_a, value_b) == (expected.value_a, expected.value_b)
    assert (expected.low, expected.high) == interval(draws_a - draws_b)
    assert interval(draws_a) == (
        score(card, a, resamples=40, seed=5).low,
        score(card, a, resamples=40, seed=5).high,
    )
