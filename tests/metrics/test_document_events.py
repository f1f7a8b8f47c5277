"""Event scores worked by hand, and against trying all pairings."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.annotated import counts, doc, documents, event, mention, scored, total

from clinprompt.documents.model import Attribute, Document
from clinprompt.errors import ClinpromptError

MODES = pytest.mark.parametrize("mode", ["clean", "n2c2"])

#       0         1         2
#       0123456789012345678901234567
TEXT = "smokes 1 ppd, quit beer 2009"


def smoker(*, amount=(7, 12), status=(0, 6), value="current", trigger=(0, 6)) -> Document:
    return doc(
        mention("T1", "Tobacco", trigger),
        mention("T2", "StatusTime", status),
        mention("T3", "Amount", amount),
        Attribute("A1", "StatusTimeVal", "T2", value),
        event("E1", "T1", ("Status", "T2"), ("Amount", "T3")),
        text=TEXT,
    )


@MODES
def test_one_event_under_the_challenge_s_criteria(mode):
    gold = smoker()
    assert total(scored(gold, gold, mode=mode), "events") == (3, 0, 0)
    # a labelled argument's place doesn't matter, a span-only one's does
    assert total(scored(gold, smoker(status=(14, 18)), mode=mode), "events") == (3, 0, 0)
    assert total(scored(gold, smoker(amount=(7, 8)), mode=mode), "events") == (2, 1, 1)
    assert total(scored(gold, smoker(value="past"), mode=mode), "events") == (2, 1, 1)
    # triggers need one character in common; without it the arguments are lost as well
    assert total(scored(gold, smoker(trigger=(5, 8)), mode=mode), "events") == (3, 0, 0)
    assert total(scored(gold, smoker(trigger=(6, 8)), mode=mode), "events") == (0, 3, 3)


@MODES
def test_the_other_criteria(mode):
    gold, moved = smoker(), smoker(trigger=(3, 8), amount=(7, 8), status=(14, 18))

    def score(**chosen):
        return total(scored(gold, moved, mode=mode, **chosen), "events")

    assert score(trigger="exact") == (0, 3, 3)
    assert score(span_arguments="overlap") == (3, 0, 0)
    assert score(labelled_arguments="exact") == (1, 2, 2)
    assert score(labelled_arguments="overlap", span_arguments="overlap") == (2, 1, 1)
    far = smoker(trigger=(19, 23))
    assert total(scored(gold, far, mode=mode, trigger="min-distance"), "events") == (3, 0, 0)


@MODES
def test_rows_by_event_argument_and_value(mode):
    scores = scored(smoker(), smoker(value="past"), mode=mode)
    tables = scores.sections["events"].tables
    found = {level: {k: counts(row) for k, row in table.items()} for level, table in tables.items()}
    assert found == {
        "event": {"Tobacco": (2, 1, 1)},
        "argument": {
            "Tobacco/Amount": (1, 0, 0),
            "Tobacco/StatusTime": (0, 1, 1),
            "Tobacco/Trigger": (1, 0, 0),
        },
        "value": {"Tobacco/StatusTime/current": (0, 0, 1), "Tobacco/StatusTime/past": (0, 1, 0)},
    }


def test_micro_over_two_event_types_by_hand():
    """Gold: tobacco with status and amount, alcohol with status and history (7 things).

    Predicted: tobacco with a wrong amount, alcohol with the right status, and a drug (6 things);
    right are both triggers and both statuses.
    """
    gold = doc(
        mention("T1", "Tobacco", (0, 6)),
        mention("T2", "StatusTime", (0, 6)),
        mention("T3", "Amount", (7, 12)),
        mention("T4", "Alcohol", (19, 23)),
        mention("T5", "StatusTime", (14, 18)),
        mention("T6", "History", (24, 28)),
        mention("T7", "Type", (19, 23)),
        Attribute("A1", "StatusTimeVal", "T2", "current"),
        Attribute("A2", "StatusTimeVal", "T5", "past"),
        event("E1", "T1", ("Status", "T2"), ("Amount", "T3")),
        event("E2", "T4", ("Status", "T5"), ("History", "T6"), ("Type", "T7")),
        text=TEXT,
    )
    predicted = doc(
        mention("T1", "Tobacco", (0, 12)),
        mention("T2", "StatusTime", (0, 6)),
        mention("T3", "Amount", (7, 8)),
        mention("T4", "Alcohol", (19, 23)),
        mention("T5", "StatusTime", (19, 23)),
        mention("T6", "Drug", (24, 28)),
        Attribute("A1", "StatusTimeVal", "T2", "current"),
        Attribute("A2", "StatusTimeVal", "T5", "past"),
        event("E1", "T1", ("Status", "T2"), ("Amount", "T3")),
        event("E2", "T4", ("Status", "T5")),
        event("E3", "T6"),
        text=TEXT,
    )
    for mode in ("clean", "n2c2"):
        scores = scored(gold, predicted, mode=mode)
        assert total(scores, "events") == (4, 2, 3)
        micro = scores.sections["events"].micro
        assert micro.precision.value == pytest.approx(100 * 4 / 6)
        assert micro.recall.value == pytest.approx(100 * 4 / 7)
        assert micro.f1.value == pytest.approx(100 * 8 / 13)
    macro = scored(gold, predicted).sections["events"].macro_labels
    assert macro is not None
    f1_of = {"Tobacco": 4 / 6, "Alcohol": 4 / 6, "Drug": 0}
    assert macro.f1.value == pytest.approx(100 * sum(f1_of.values()) / 3)


def test_clean_pairs_for_the_most_and_n2c2_in_the_order_of_the_file():
    """Two predicted triggers on one gold trigger: the second has the arguments."""
    gold = smoker()
    predicted = doc(
        mention("T1", "Tobacco", (0, 2)),
        *(one for one in gold.annotations if one.id != "T1" and one.id != "E1"),
        mention("T9", "Tobacco", (2, 6)),
        event("E1", "T1"),
        event("E2", "T9", ("Status", "T2"), ("Amount", "T3")),
        text=TEXT,
    )
    assert total(scored(gold, predicted), "events") == (3, 1, 0)
    assert total(scored(gold, predicted, mode="n2c2"), "events") == (1, 3, 2)


def test_least_distance_pairs_the_nearest_first():
    """Gold at 0 and 10; predicted at 4 and 30: 0-4 is nearest, so 10 gets 30."""

    def at(*places: int) -> Document:
        mentions = [mention(f"T{i}", "Drug", (p, p + 1)) for i, p in enumerate(places)]
        amounts = [mention(f"U{i}", "Amount", (p + 1, p + 2)) for i, p in enumerate(places)]
        events = [event(f"E{i}", f"T{i}", ("Amount", f"U{i}")) for i in range(len(places))]
        return doc(*mentions, *amounts, *events)

    for mode in ("clean", "n2c2"):
        chosen = {"mode": mode, "trigger": "min-distance"}
        assert total(scored(at(0, 10), at(4, 30), **chosen), "events") == (2, 2, 2)
        assert total(scored(at(0, 10), at(4), **chosen), "events") == (1, 1, 3)
        assert total(scored(at(0, 10), at(10, 4, 0), **chosen), "events") == (4, 2, 0)


def test_equally_near_triggers_go_by_arguments_in_clean_mode_only():
    gold = doc(mention("T1", "Drug", (10, 11)), mention("T2", "Amount", (0, 5)), event("E1", "T1"))
    gold = Document("a", gold.text, (*gold.mentions, event("E1", "T1", ("Amount", "T2"))))
    predicted = doc(
        mention("T1", "Drug", (8, 9)),
        mention("T2", "Drug", (12, 13)),
        mention("T3", "Amount", (0, 5)),
        event("E1", "T1"),
        event("E2", "T2", ("Amount", "T3")),
    )
    assert total(scored(gold, predicted, trigger="min-distance"), "events") == (2, 1, 0)
    legacy = scored(gold, predicted, trigger="min-distance", mode="n2c2")
    assert total(legacy, "events") == (1, 2, 1)


def test_names_by_mention_or_by_role():
    gold = doc(mention("T1", "Bind", (0, 4)), mention("T2", "Protein", (5, 9)))
    theme = Document("a", gold.text, (*gold.mentions, event("E1", "T1", ("Theme", "T2"))))
    cause = Document("a", gold.text, (*gold.mentions, event("E1", "T1", ("Cause", "T2"))))
    assert total(scored(theme, cause), "events") == (2, 0, 0)
    assert total(scored(theme, cause, arguments_by="role"), "events") == (1, 1, 1)
    assert total(scored(theme, cause, arguments_by="role", mode="n2c2"), "events") == (2, 0, 0)


def test_an_event_as_argument_is_its_trigger():
    gold = doc(
        mention("T1", "Regulate", (0, 4)),
        mention("T2", "Bind", (5, 9)),
        event("E1", "T2"),
        event("E2", "T1", ("Theme", "E1")),
    )
    tables = scored(gold, gold).sections["events"].tables
    assert set(tables["argument"]) == {"Bind/Trigger", "Regulate/Bind", "Regulate/Trigger"}


def test_types_may_be_chosen():
    gold = doc(
        mention("T1", "Drug", (0, 4)),
        mention("T2", "Tobacco", (5, 9)),
        event("E1", "T1"),
        event("E2", "T2"),
    )
    for mode in ("clean", "n2c2"):
        assert total(scored(gold, gold, labels=("Drug",), mode=mode), "events") == (1, 0, 0)


def test_several_values_are_joined_or_refused():
    gold = smoker()
    two = Document("a", TEXT, (*gold.annotations, Attribute("A2", "StatusTimeVal", "T2", "past")))
    scores = scored(two, two)
    assert "Tobacco/StatusTime/current+past" in scores.sections["events"].tables["value"]
    with pytest.raises(ClinpromptError) as caught:
        scored(two, gold, mode="n2c2")
    assert caught.value.code == "CP-EVAL-108"


def _best(gold: Document, predicted: Document) -> int:
    """The most triggers and arguments that one pairing of events can make right, by trying all.

    Triggers overlap, span-only arguments are equal, labelled ones have equal values.
    """
    values = {id(one): {a.target: a.value for a in one.of(Attribute)} for one in (gold, predicted)}

    def read(one: Document, which) -> tuple[str, set[int], list[tuple]]:
        trigger = one.by_id[which.trigger]
        arguments = []
        for argument in which.arguments:
            target = one.by_id[argument.target]
            if target.label == "StatusTime":
                arguments.append((target.label, values[id(one)].get(target.id)))
            else:
                arguments.append((target.label, target.spans))
        return trigger.label, {i for s, e in trigger.spans for i in range(s, e)}, arguments

    def worth(one, other) -> int:
        if one is None or other is None or one[0] != other[0] or not one[1] & other[1]:
            return 0
        rest = list(other[2])
        same = 0
        for argument in one[2]:
            if argument in rest:
                rest.remove(argument)
                same += 1
        return 1 + same

    left = [read(gold, one) for one in gold.events]
    right: list = [read(predicted, one) for one in predicted.events]
    right += [None] * len(left)
    return max(
        sum(worth(a, b) for a, b in zip(left, order, strict=True))
        for order in permutations(right, len(left))
    )


@settings(max_examples=40)
@given(documents(), documents())
def test_clean_events_against_brute_force(gold, predicted):
    assert total(scored(gold, predicted), "events")[0] == _best(gold, predicted)


@settings(max_examples=60)
@given(documents(), documents(), st.sampled_from(["exact", "overlap"]))
def test_clean_is_never_below_the_greedy_pairing(gold, predicted, match):
    """Spans of one fragment, so that both read the same places."""
    flat = [
        Document(
            one.id,
            one.text,
            tuple(
                mention(a.id, a.label, (a.start, a.end)) if a.id.startswith("T") else a
                for a in one.annotations
            ),
        )
        for one in (gold, predicted)
    ]
    chosen = {"trigger": match, "span_arguments": match}
    clean = total(scored(*flat, **chosen), "events")
    greedy = total(scored(*flat, mode="n2c2", **chosen), "events")
    assert clean[0] >= greedy[0]
    assert clean[0] + clean[1] == greedy[0] + greedy[1]
    assert clean[0] + clean[2] == greedy[0] + greedy[2]
