from __future__ import annotations

import pytest
from tests.metrics.annotated import counts, doc, link, mention, scored, total

from clinprompt.documents.model import Argument, Event, Link
from clinprompt.metrics.documents import PRESETS

DRUGS = (
    mention("T1", "drug", (0, 4)),
    mention("T2", "drug", (6, 9)),
    mention("T3", "drug", (12, 16)),
    mention("T4", "drug", (20, 24)),
)


def test_ends_count_with_type_spans_and_role():
    gold = doc(*DRUGS, link("R1", "x", "T1", "T2"))
    assert total(scored(gold, doc(*DRUGS, link("R1", "x", "T1", "T2"))), "relations.exact") == (
        1,
        0,
        0,
    )
    for wrong in (
        doc(*DRUGS, link("R1", "x", "T2", "T1")),
        doc(*DRUGS, link("R1", "y", "T1", "T2")),
        doc(*DRUGS, mention("T9", "brand", (0, 4)), link("R1", "x", "T9", "T2")),
        doc(*DRUGS, mention("T9", "drug", (0, 3)), link("R1", "x", "T9", "T2")),
    ):
        assert total(scored(gold, wrong), "relations.exact") == (0, 1, 1)
    turned = Link("R1", "x", (Argument("Arg2", "T2"), Argument("Arg1", "T1")))
    assert total(scored(gold, doc(*DRUGS, turned)), "relations.exact") == (1, 0, 0)


def test_overlapping_ends_are_paired_one_to_one():
    gold = doc(*DRUGS, link("R1", "x", "T1", "T2"))
    near = (mention("T8", "drug", (2, 5)), mention("T9", "drug", (7, 12)))
    predicted = doc(*near, link("R1", "x", "T8", "T9"), link("R2", "x", "T8", "T9"))
    scores = scored(gold, predicted)
    assert total(scores, "relations.overlap") == (1, 1, 0)
    half = doc(*DRUGS, *near, link("R1", "x", "T8", "T3"))  # one end meets, the other doesn't
    assert total(scored(gold, half), "relations.overlap") == (0, 1, 1)


def test_an_event_stands_for_its_trigger():
    gold = doc(*DRUGS, Event("E1", "T1"), link("R1", "x", "E1", "T2"))
    assert total(scored(gold, doc(*DRUGS, link("R1", "x", "T1", "T2"))), "relations.exact") == (
        1,
        0,
        0,
    )


def test_undirected_relations_may_be_turned():
    gold = doc(*DRUGS, link("R1", "x", "T1", "T2"))
    turned = doc(*DRUGS, link("R1", "x", "T2", "T1"))
    near = (mention("T8", "drug", (2, 5)), mention("T9", "drug", (7, 12)))
    for predicted in (turned, doc(*near, link("R1", "x", "T9", "T8"))):
        assert total(scored(gold, predicted, directed=False), "relations.overlap") == (1, 0, 0)
        assert total(scored(gold, predicted), "relations.overlap") == (0, 1, 1)
    assert total(scored(gold, turned, directed=False), "relations.exact") == (1, 0, 0)


def test_undirected_ends_that_both_overlap_meet_either_way():
    """Sorted by place, the two ends stand the other way round on the two sides."""
    left = doc(
        mention("T1", "d", (2, 4)), mention("T2", "d", (10, 12)), link("R1", "x", "T1", "T2")
    )
    right = doc(
        mention("T1", "d", (3, 4)),
        mention("T2", "d", (0, 1), (10, 11)),
        link("R1", "x", "T1", "T2"),
    )
    assert total(scored(left, right, directed=False), "relations.overlap") == (1, 0, 0)
    assert total(scored(right, left, directed=False), "relations.overlap") == (1, 0, 0)


def test_roles_of_different_names_are_noted():
    gold = doc(*DRUGS, link("R1", "x", "T1", "T2"))
    other = doc(*DRUGS, Link("R1", "x", (Argument("head", "T1"), Argument("tail", "T2"))))
    scores = scored(gold, other)
    assert any("(Arg1, Arg2; head, tail): none can match" in note for note in scores.notes)
    assert total(scored(gold, other, directed=False), "relations.exact") == (1, 0, 0)
    assert not scored(gold, gold).notes


def test_ddi_detection_and_classification():
    """Three gold pairs: one right, one of the wrong type, one missed; one more is invented."""
    gold = doc(
        *DRUGS,
        link("R1", "effect", "T1", "T2"),
        link("R2", "mechanism", "T1", "T3"),
        link("R3", "advise", "T2", "T3"),
    )
    predicted = doc(
        *DRUGS,
        link("R1", "effect", "T2", "T1"),
        link("R2", "effect", "T1", "T3"),
        link("R3", "int", "T3", "T4"),
        link("R4", "other", "T1", "T4"),
    )
    preset = PRESETS["ddi"]
    scores = scored(gold, predicted, **preset.changes)
    assert total(scores, "relations.detection") == (2, 1, 1)
    assert total(scores, "relations.exact") == (1, 2, 2)
    table = scores.sections["relations.exact"].tables["label"]
    assert {label: counts(row) for label, row in table.items()} == {
        "advise": (0, 0, 1),
        "effect": (1, 1, 0),
        "int": (0, 1, 0),
        "mechanism": (0, 0, 1),
    }
    macro = scores.sections["relations.exact"].macro_labels
    assert macro is not None and macro.f1_of_means is not None
    assert macro.precision.value == pytest.approx(100 * (0 + 1 / 2 + 0 + 0) / 4)
    assert macro.recall.value == pytest.approx(100 * (0 + 1 + 0 + 0) / 4)
    assert macro.f1.value == pytest.approx(100 * (2 / 3) / 4)
    assert macro.f1_of_means.value == pytest.approx(100 * 2 * 0.125 * 0.25 / 0.375)
    for _, section, average in preset.headline:
        assert scores.sections[section].rates(average) is not None


def test_chemprot_counts_its_five_groups_once():
    ends = (mention("T1", "CHEMICAL", (0, 4)), mention("T2", "GENE-Y", (6, 9)))
    gold = doc(*ends, link("R1", "CPR:3", "T1", "T2"), link("R2", "CPR:2", "T1", "T2"))
    predicted = doc(
        *ends,
        link("R1", "CPR:3", "T1", "T2"),
        link("R2", "CPR:3", "T1", "T2"),
        link("R3", "CPR:4", "T1", "T2"),
        link("R4", "CPR:10", "T1", "T2"),
    )
    scores = scored(gold, predicted, **PRESETS["chemprot"].changes)
    assert total(scores, "relations.exact") == (1, 1, 0)
    assert scores.sections["relations.exact"].counts["repeated_in_predictions"] == 1


def test_presets_give_way_to_what_is_chosen():
    assert PRESETS["ddi"].settings(directed=True, seed=3).directed
    assert not PRESETS["ddi"].settings(seed=3).directed
