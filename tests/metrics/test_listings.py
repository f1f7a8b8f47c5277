from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nervaluate import Evaluator
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from clinprompt.examples import Entity, Relation, RelationAnswer, TextInput
from clinprompt.metrics import Item, score

LABELS = ("Drug", "Disease", "Gene")
SPAN = st.tuples(st.integers(0, 20), st.integers(1, 5)).map(lambda s: (s[0], s[0] + s[1]))
MENTION = st.tuples(st.sampled_from(LABELS), SPAN)
MENTIONS = st.lists(MENTION, max_size=6)
SETS = st.lists(st.tuples(MENTIONS, st.none() | MENTIONS), min_size=1, max_size=5)


def random_tags(rng: random.Random, length: int) -> list[str]:
    tags: list[str] = []
    while len(tags) < length:
        label = rng.choice((*LABELS, "O", "O"))
        size = rng.randint(1, 3)
        tags += ["O"] if label == "O" else [f"B-{label}", *[f"I-{label}"] * (size - 1)]
    return tags[:length]


def mentions_of(tags: list[str]) -> list[tuple]:
    """(label, (start, end)) of BIO2 tags, one character a token."""
    found: list[list] = []
    for position, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append([tag[2:], position, position + 1])
        elif tag.startswith("I-"):
            found[-1][2] = position + 1
    return [(label, (start, end)) for label, start, end in found]


@pytest.mark.parametrize("seed", range(5))
def test_strict_agrees_with_seqeval(seed: int, make_card, entity_item) -> None:
    rng = random.Random(seed)
    gold = [random_tags(rng, 30) for _ in range(25)]
    predicted = [tags if rng.random() < 0.4 else random_tags(rng, 30) for tags in gold]
    items = [
        entity_item(mentions_of(g), mentions_of(p), name=str(n))
        for n, (g, p) in enumerate(zip(gold, predicted, strict=True))
    ]
    scores = score(make_card("mentions", *LABELS), items, resamples=1)
    for name, function in (("precision", precision_score), ("recall", recall_score)):
        expected = 100 * function(gold, predicted, mode="strict", scheme=IOB2)
        assert scores.metrics[f"entity_{name}"].value == pytest.approx(expected)
    for average, name in (("micro", "entity_f1"), ("macro", "entity_f1_macro")):
        expected = 100 * f1_score(gold, predicted, average=average, mode="strict", scheme=IOB2)
        assert 0 < expected < 100
        assert scores.metrics[name].value == pytest.approx(expected)
    report = classification_report(gold, predicted, output_dict=True, mode="strict", scheme=IOB2)
    for label in LABELS:
        row, expected_row = scores.per_label[label], report[label]
        assert row.f1 == pytest.approx(100 * expected_row["f1-score"])
        assert row.support == expected_row["support"]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_nervaluate_where_mentions_meet_one_to_one(
    seed: int, make_card, entity_item
) -> None:
    """At most one gold and one predicted mention a slot: no choice of partners to differ in."""
    rng = random.Random(seed)
    documents = []
    for _ in range(20):
        sides: tuple[list, list] = ([], [])
        for slot in range(0, 100, 10):
            mentions = [
                (rng.choice(LABELS), (slot + rng.randint(0, 2), slot + rng.randint(3, 5)))
                for _ in sides
            ]
            if rng.random() < 0.3:
                mentions[1] = mentions[0]
            for side, mention in zip(sides, mentions, strict=True):
                if rng.random() < 0.8:
                    side.append(mention)
        documents.append(sides)
    items = [entity_item(*sides, name=str(n)) for n, sides in enumerate(documents)]
    scores = score(make_card("mentions", *LABELS), items, resamples=1)
    gold, predicted = (
        [
            [{"label": label, "start": start, "end": end - 1} for label, (start, end) in sides[k]]
            for sides in documents
        ]
        for k in (0, 1)
    )
    results = Evaluator(gold, predicted, tags=list(LABELS), loader="dict").evaluate()
    for ours, theirs in (("strict", "strict"), ("lenient", "ent_type")):
        for label in LABELS:
            row, expected = scores.tables[ours][label], results["entities"][label][theirs]
            assert row.tp == expected.correct > 0
            assert row.tp + row.fp == expected.actual
            assert row.support == expected.possible
    assert scores.metrics["entity_f1"].value == pytest.approx(100 * results["overall"]["strict"].f1)
    assert scores.metrics["entity_f1_lenient"].value > scores.metrics["entity_f1"].value


def test_extra_predictions_on_a_matched_mention_are_false_positives(make_card, entity_item) -> None:
    item = entity_item([("Drug", (0, 20))], [("Drug", (0, 5)), ("Drug", (6, 10))])
    row = score(make_card("mentions", "Drug"), [item]).tables["lenient"]["Drug"]
    assert (row.tp, row.fp, row.fn) == (1, 1, 0)


def test_lenient_takes_the_largest_pairing(make_card, entity_item) -> None:
    # First come first served would pair (0, 10) with (0, 4) and leave (5, 9) and (2, 3) apart.
    item = entity_item([("Drug", (0, 10)), ("Drug", (2, 3))], [("Drug", (0, 4)), ("Drug", (5, 9))])
    row = score(make_card("mentions", "Drug"), [item]).tables["lenient"]["Drug"]
    assert (row.tp, row.fp, row.fn) == (2, 0, 0)


def test_discontinuous_mentions_need_all_fragments(make_card, entity_item) -> None:
    gold = [("Drug", (0, 4), (10, 14))]
    card = make_card("mentions", "Drug")
    assert score(card, [entity_item(gold, [("Drug", (10, 14), (0, 4))])]).value == 100
    part = score(card, [entity_item(gold, [("Drug", (0, 4))])])
    assert (part.value, part.metrics["entity_f1_lenient"].value) == (0, 100)
    gap = score(card, [entity_item(gold, [("Drug", (4, 10))])])  # between the fragments
    assert gap.metrics["entity_f1_lenient"].value == 0
    cover = score(card, [entity_item(gold, [("Drug", (0, 14))])])
    assert (cover.value, cover.metrics["entity_f1_lenient"].value) == (0, 100)


def test_same_spans_of_another_type_match_nothing(make_card, entity_item) -> None:
    card = make_card("mentions", *LABELS)
    scores = score(card, [entity_item([("Drug", (0, 4))], [("Gene", (0, 4))])])
    assert scores.metrics["entity_f1_lenient"].value == 0
    assert scores.metrics["entity_f1_macro"].value == 0
    nested = [("Drug", (0, 9)), ("Gene", (0, 9)), ("Gene", (2, 4))]
    assert score(card, [entity_item(nested, nested)]).value == 100


def test_duplicates_count_once_and_are_reported(make_card, entity_item) -> None:
    item = entity_item([("Drug", (0, 4))], [("Drug", (0, 4))] * 3)
    scores = score(make_card("mentions", "Drug"), [item])
    assert scores.value == 100
    assert scores.counts["duplicate_predicted"] == 2
    assert scores.counts["predicted_mentions"] == scores.counts["gold_mentions"] == 1


def test_unparsable_answers_miss_all_gold_mentions(make_card, entity_item) -> None:
    items = [
        entity_item([("Drug", (0, 4))], [("Drug", (0, 4))], name="1"),
        entity_item([("Drug", (0, 4)), ("Drug", (5, 9))], None, name="2", unparsable=1),
    ]
    scores = score(make_card("mentions", "Drug"), items)
    assert scores.metrics["entity_recall"].value == pytest.approx(100 / 3)
    assert scores.metrics["entity_precision"].value == 100
    assert scores.counts["unanswered"] == scores.counts["unparsable"] == 1


def test_unaligned_mentions_are_false_positives_in_their_own_metric(make_card, entity_item) -> None:
    item = entity_item([("Drug", (0, 4))], [("Drug", (0, 4))], unaligned=2)
    scores = score(make_card("mentions", "Drug"), [item])
    assert scores.value == 100
    assert scores.metrics["entity_f1_with_unaligned"].value == 50  # 2 / (2 + 2)
    assert scores.counts["unaligned"] == 2


def test_nothing_to_find(make_card, entity_item) -> None:
    card = make_card("mentions", *LABELS)
    silent = score(card, [entity_item([], [])])
    assert {estimate.value for estimate in silent.metrics.values()} == {100}
    wrong = score(card, [entity_item([], [("Drug", (0, 4))])])
    assert {estimate.value for estimate in wrong.metrics.values()} == {0}
    missed = score(card, [entity_item([("Drug", (0, 4))], [])])
    assert {estimate.value for estimate in missed.metrics.values()} == {0}


@given(SETS)
def test_strict_never_beats_lenient_and_all_stay_in_range(
    make_card, entity_item, sets: list
) -> None:
    items = [entity_item(gold, predicted, name=str(n)) for n, (gold, predicted) in enumerate(sets)]
    scores = score(make_card("mentions", *LABELS), items, resamples=20)
    for label in LABELS:
        strict, lenient = (scores.tables[way][label] for way in ("strict", "lenient"))
        assert strict.tp <= lenient.tp
        assert strict.support == lenient.support
    for estimate in scores.metrics.values():
        assert 0 <= estimate.value <= 100
        assert 0 <= estimate.low <= estimate.high <= 100


@given(MENTIONS, MENTIONS, MENTION)
def test_a_wrong_prediction_never_raises_precision(
    make_card, entity_item, gold: list, predicted: list, extra: tuple
) -> None:
    card = make_card("mentions", *LABELS)
    before, after = (
        score(card, [entity_item(gold, found)], resamples=1)
        for found in (predicted, [*predicted, extra])
    )
    if extra not in gold:
        for name in ("entity_precision", "entity_f1"):
            assert after.metrics[name].value <= before.metrics[name].value
    assert after.metrics["entity_recall"].value >= before.metrics["entity_recall"].value or not gold


# ---- relations ---------------------------------------------------------------------------------


def entity(label: str, start: int, end: int, concept: str | None = None) -> Entity:
    return Entity(((start, end),), label, concept)


def relation_item(gold: list[Relation], predicted: list[Relation] | None, **keys: int) -> Item:
    answer = None if predicted is None else RelationAnswer(tuple(predicted))
    return Item("1", "1", TextInput("x" * 100), RelationAnswer(tuple(gold)), answer, **keys)


HEAD, TAIL = entity("A", 0, 4), entity("B", 10, 14)
WIDE_HEAD, WIDE_TAIL = entity("A", 0, 6), entity("B", 8, 14)


@pytest.mark.parametrize(
    ("predicted", "strict", "lenient"),
    [
        (Relation(HEAD, TAIL, "causes"), 100, 100),
        (Relation(WIDE_HEAD, TAIL, "causes"), 0, 100),
        (Relation(WIDE_HEAD, WIDE_TAIL, "causes"), 0, 100),
        (Relation(HEAD, TAIL, "treats"), 0, 0),
        (Relation(TAIL, HEAD, "causes"), 0, 0),
        (Relation(entity("B", 0, 4), TAIL, "causes"), 0, 0),
        (Relation(HEAD, entity("B", 14, 20), "causes"), 0, 0),
        (Relation(entity("A", 30, 34), TAIL, "causes"), 0, 0),
    ],
)
def test_relations_strict_and_lenient(
    make_card, predicted: Relation, strict: float, lenient: float
) -> None:
    card = make_card("list", "causes", "treats")
    scores = score(card, [relation_item([Relation(HEAD, TAIL, "causes")], [predicted])])
    assert scores.metrics["relation_f1"].value == strict
    assert scores.metrics["relation_f1_lenient"].value == lenient
    assert "concept_relation_f1" not in scores.metrics


def test_lenient_relations_pair_one_to_one(make_card) -> None:
    gold = [Relation(HEAD, TAIL, "causes"), Relation(HEAD, entity("B", 20, 24), "causes")]
    predicted = [Relation(WIDE_HEAD, WIDE_TAIL, "causes"), Relation(HEAD, WIDE_TAIL, "causes")]
    scores = score(make_card("list", "causes"), [relation_item(gold, predicted)])
    row = scores.tables["lenient"]["causes"]
    assert (row.tp, row.fp, row.fn) == (1, 1, 1)


def test_relation_counts(make_card) -> None:
    gold = [Relation(HEAD, TAIL, "causes")]
    scores = score(make_card("list", "causes"), [relation_item(gold, gold * 2, unaligned=1)])
    assert scores.value == 100
    assert scores.metrics["relation_f1_with_unaligned"].value == pytest.approx(200 / 3)
    assert scores.counts["duplicate_predicted"] == scores.counts["gold_relations"] == 1
    missed = score(make_card("list", "causes"), [relation_item(gold, None)])
    assert missed.value == 0 and missed.per_label["causes"].fn == 1
