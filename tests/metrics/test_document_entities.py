from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.annotated import (
    FEW,
    collections,
    counts,
    doc,
    documents,
    mention,
    reordered,
    scored,
    total,
)

from clinprompt.documents.model import Document, Mention

SYMMETRIC = [
    "entities.exact",
    "entities.overlap",
    "entities.span_exact",
    "entities.span_overlap",
    "relations.exact",
    "relations.overlap",
    "relations.detection",
    "attributes.exact.end_to_end",
    "attributes.overlap.end_to_end",
    "events",
]
TRIGGERS = st.sampled_from(["exact", "overlap", "min-distance"])
DUPLICATES = st.sampled_from(["count", "once"])


def test_the_four_ways_on_one_page():
    gold = doc(
        mention("T1", "Drug", (0, 4)),
        mention("T2", "Dose", (5, 9)),
        mention("T3", "Drug", (12, 15), (20, 23)),
        mention("T4", "ADE", (30, 35)),
    )
    predicted = doc(
        mention("T1", "Drug", (0, 4)),  # right
        mention("T2", "Drug", (5, 9)),  # wrong type
        mention("T3", "Drug", (12, 15)),  # the first fragment only
        mention("T4", "ADE", (16, 19)),  # in the gap of T3, and far from gold's ADE
    )
    scores = scored(gold, predicted)
    assert total(scores, "entities.exact") == (1, 3, 3)
    assert total(scores, "entities.overlap") == (2, 2, 2)
    assert total(scores, "entities.span_exact") == (2, 2, 2)
    assert total(scores, "entities.span_overlap") == (3, 1, 1)
    rows = scores.sections["entities.overlap"].tables["label"]
    assert {label: counts(row) for label, row in rows.items()} == {
        "ADE": (0, 1, 1),
        "Dose": (0, 0, 1),
        "Drug": (2, 1, 0),
    }


def test_fragments_that_touch_are_not_joined():
    gold, predicted = doc(mention("T1", "D", (0, 2), (2, 4))), doc(mention("T1", "D", (0, 4)))
    scores = scored(gold, predicted)
    assert total(scores, "entities.exact") == (0, 1, 1)
    assert total(scores, "entities.overlap") == (1, 0, 0)
    backwards = doc(mention("T1", "D", (2, 4), (0, 2)))
    assert total(scored(gold, backwards), "entities.exact") == (1, 0, 0)


def test_repeats_count_one_to_one_or_once():
    gold = doc(mention("T1", "D", (0, 4)))
    predicted = doc(mention("T1", "D", (0, 4)), mention("T2", "D", (0, 4)))
    scores = scored(gold, predicted)
    assert total(scores, "entities.exact") == (1, 1, 0)
    assert scores.sections["entities.exact"].counts["repeated_in_predictions"] == 1
    assert total(scored(predicted, predicted), "entities.exact") == (2, 0, 0)
    assert total(scored(gold, predicted, duplicates="once"), "entities.exact") == (1, 0, 0)


def test_overlaps_are_paired_so_that_most_match():
    """One after the other would pair 0-6 with 0-3 and leave 4-6 and 0-2 alone."""
    gold = doc(mention("T1", "D", (0, 6)), mention("T2", "D", (0, 2)))
    predicted = doc(mention("T1", "D", (0, 3)), mention("T2", "D", (4, 6)))
    assert total(scored(gold, predicted), "entities.overlap") == (2, 0, 0)


def _most_pairs(gold: Document, predicted: Document) -> int:
    """The largest one-to-one pairing of overlapping mentions of one type, by trying all."""

    def meet(one: Mention, other: Mention) -> bool:
        places = [{i for start, end in m.spans for i in range(start, end)} for m in (one, other)]
        return one.label == other.label and bool(places[0] & places[1])

    left, right = sorted([gold.mentions, predicted.mentions], key=len)
    return max(
        sum(meet(a, b) for a, b in zip(left, order, strict=True))
        for order in permutations(right, len(left))
    )


@settings(max_examples=60)
@given(documents(), documents())
def test_overlap_against_brute_force(gold, predicted):
    assert total(scored(gold, predicted), "entities.overlap")[0] == _most_pairs(gold, predicted)


@settings(max_examples=60)
@given(collections(), TRIGGERS, DUPLICATES, st.sampled_from(["clean", "n2c2"]))
def test_the_right_answer_scores_100(gold, trigger, duplicates, mode):
    scores = scored(gold, gold, trigger=trigger, duplicates=duplicates, mode=mode)
    for name, section in scores.sections.items():
        if mode == "clean":
            assert section.micro.f1.value == section.macro_documents.f1.value == 100, name
            assert section.macro_labels is not None and section.macro_labels.f1.value == 100
        else:  # overlapping gold mentions make even the right answer lose there
            assert 0 <= section.micro.f1.value <= 100


@settings(max_examples=35)
@given(collections(), collections(), TRIGGERS, DUPLICATES, st.booleans())
def test_swapping_the_sides_swaps_precision_and_recall(gold, other, trigger, duplicates, directed):
    chosen = {"trigger": trigger, "duplicates": duplicates, "directed": directed}
    one, two = scored(gold, other, **chosen), scored(other, gold, **chosen)
    assert one.sections.keys() == two.sections.keys()
    for name in SYMMETRIC:
        tp, fp, fn = total(one, name)
        assert total(two, name) == (tp, fn, fp), name
        if name not in one.sections:
            continue
        for average in ("micro", "macro_labels", "macro_documents"):
            left, right = one.sections[name].rates(average), two.sections[name].rates(average)
            assert left is not None and right is not None
            if average == "macro_labels" and name in ("events", "attributes.overlap.end_to_end"):
                continue  # which of two equally good pairings is taken may change rows
            assert left.precision.value == pytest.approx(right.recall.value)
            assert left.f1.value == pytest.approx(right.f1.value)


@settings(max_examples=35)
@given(collections(), collections(), TRIGGERS, st.integers(0, 1000))
def test_the_order_of_documents_and_annotations_changes_nothing(gold, other, trigger, seed):
    moved = [[reordered(one, seed) for one in reversed(side)] for side in (gold, other)]
    before, after = scored(gold, other, trigger=trigger), scored(*moved, trigger=trigger)
    assert before.sections.keys() == after.sections.keys()
    for name, section in before.sections.items():
        assert section == after.sections[name], name


@settings(max_examples=35)
@given(collections(), collections())
def test_exact_is_never_above_lenient(gold, other):
    scores = scored(gold, other)
    pairs = [
        ("entities.exact", "entities.overlap"),
        ("entities.exact", "entities.span_exact"),
        ("entities.overlap", "entities.span_overlap"),
        ("relations.exact", "relations.overlap"),
        ("relations.exact", "relations.detection"),
        ("attributes.exact.end_to_end", "attributes.overlap.end_to_end"),
    ]
    for strict, lenient in pairs:
        assert total(scores, strict)[0] <= total(scores, lenient)[0], strict
        assert sum(total(scores, strict)[1:]) >= sum(total(scores, lenient)[1:]), strict
    events = [
        total(
            scored(gold, other, trigger=trigger, span_arguments=match, labelled_arguments=labelled),
            "events",
        )[0]
        for trigger, match, labelled in (
            ("exact", "exact", "exact"),
            ("overlap", "exact", "exact"),
            ("overlap", "overlap", "overlap"),
            ("overlap", "overlap", "label"),
        )
    ]
    assert events == sorted(events)


words = st.lists(st.sampled_from(["O", "B-x", "B-y", "I-x", "I-y"]), min_size=1, max_size=10)


def _from_tags(tags: list[str], id: str) -> Document:
    """Strict IOB2 on words of one character and a space; a loose I begins nothing."""
    found: list[list[int | str]] = []
    running = ""
    for place, tag in enumerate(tags):
        label = tag[2:]
        if tag.startswith("B"):
            found.append([label, place, place])
            running = label
        elif tag.startswith("I") and label == running:
            found[-1][2] = place
        else:
            running = ""
    mentions = [
        Mention(f"T{i}", str(label), ((2 * int(first), 2 * int(last) + 1),))
        for i, (label, first, last) in enumerate(found)
    ]
    return Document(id, "w " * len(tags), tuple(mentions))


@settings(max_examples=50)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_exact_equals_seqeval_and_nervaluate(sentences):
    nervaluate = pytest.importorskip("nervaluate")
    metrics = pytest.importorskip("seqeval.metrics")
    from seqeval.scheme import IOB2

    cut = [(a[: min(len(a), len(b))], b[: min(len(a), len(b))]) for a, b in sentences]
    sides = [[_from_tags(pair[side], f"d{i}") for i, pair in enumerate(cut)] for side in (0, 1)]
    scores = scored(*sides, resamples=FEW)
    section = scores.sections["entities.exact"]
    if not any(one.annotations for side in sides for one in side):
        assert section.micro.f1.undefined
        return
    gold, predicted = ([pair[side] for pair in cut] for side in (0, 1))
    exact = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    for average, ours in (("micro", section.micro), ("macro", section.macro_labels)):
        theirs = metrics.f1_score(gold, predicted, average=average, **exact)
        assert ours.f1.value == pytest.approx(100 * theirs)
    as_dicts = [
        [[{"label": m.label, "start": m.start, "end": m.end} for m in one.mentions] for one in side]
        for side in sides
    ]
    found = nervaluate.Evaluator(*as_dicts, tags=["x", "y"], loader="dict").evaluate()
    strict = found["overall"]["strict"]
    tp, fp, fn = total(scores, "entities.exact")
    assert (strict.correct, strict.possible, strict.actual) == (tp, tp + fn, tp + fp)
    assert section.micro.f1.value == pytest.approx(100 * strict.f1)
