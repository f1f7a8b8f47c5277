from __future__ import annotations

from dataclasses import replace

from tests.metrics.annotated import counts, doc, event, link, mention, scored, total

from clinprompt.documents.model import Attribute

ENDS = "attributes.{}.end_to_end"
FOUND = "attributes.{}.on_matched"


def test_end_to_end_and_on_matched():
    """Four problems with an assertion each: right, wrong value, not found, found beside it."""
    places = [(0, 4), (5, 9), (10, 14), (15, 19)]
    problems = [mention(f"T{i}", "problem", place) for i, place in enumerate(places)]
    gold = doc(
        *problems,
        *(Attribute(f"A{i}", "Assertion", f"T{i}", "absent") for i in range(4)),
    )
    predicted = doc(
        *problems[:2],
        mention("T3", "problem", (16, 19)),
        Attribute("A0", "Assertion", "T0", "absent"),
        Attribute("A1", "Assertion", "T1", "possible"),
        Attribute("A3", "Assertion", "T3", "absent"),
    )
    scores = scored(gold, predicted)
    assert total(scores, ENDS.format("exact")) == (1, 2, 3)
    assert total(scores, FOUND.format("exact")) == (1, 1, 1)
    assert total(scores, ENDS.format("overlap")) == (2, 1, 2)
    assert total(scores, FOUND.format("overlap")) == (2, 1, 1)
    tables = scores.sections[ENDS.format("exact")].tables
    assert {name: counts(row) for name, row in tables["attribute"].items()} == {
        "Assertion": (1, 2, 3)
    }
    assert {name: counts(row) for name, row in tables["value"].items()} == {
        "Assertion/absent": (1, 1, 3),
        "Assertion/possible": (0, 1, 0),
    }
    section = scores.sections[FOUND.format("exact")]
    assert section.counts["matched"] == 2
    assert section.counts["matched_with_equal_attributes"] == 1


def test_a_mention_of_another_type_is_not_the_same():
    gold = doc(mention("T1", "problem", (0, 4)), Attribute("A1", "Negated", "T1"))
    predicted = doc(mention("T1", "test", (0, 4)), Attribute("A1", "Negated", "T1"))
    assert total(scored(gold, predicted), ENDS.format("overlap")) == (0, 1, 1)
    assert FOUND.format("overlap") not in scored(gold, predicted).sections


def test_an_attribute_without_value_is_true():
    gold = doc(mention("T1", "problem", (0, 4)), Attribute("A1", "Negated", "T1"))
    spelt = replace(gold, annotations=(gold.mentions[0], Attribute("A1", "Negated", "T1", "true")))
    assert total(scored(gold, spelt), ENDS.format("exact")) == (1, 0, 0)


def test_relations_and_events_have_attributes_too():
    ends = (mention("T1", "a", (0, 4)), mention("T2", "b", (5, 9)))
    gold = doc(
        *ends,
        link("R1", "x", "T1", "T2"),
        event("E1", "T1"),
        Attribute("A1", "Sure", "R1"),
        Attribute("A2", "Sure", "E1"),
        Attribute("A3", "Sure", "T1"),
    )
    assert total(scored(gold, gold), ENDS.format("exact")) == (3, 0, 0)
    without = doc(*ends, link("R1", "x", "T1", "T2"), event("E1", "T1"))
    assert total(scored(gold, without), ENDS.format("exact")) == (0, 0, 3)
    assert total(scored(gold, gold, labels=("b",)), ENDS.format("exact")) == (1, 0, 0)
    scores = scored(
        replace(gold, annotations=(*gold.annotations, link("R2", "y", "T1", "T2"))),
        gold,
        relation_labels=("y",),
    )
    assert total(scores, ENDS.format("exact")) == (2, 0, 0)
    assert not scores.left_out["gold"]


def test_repeated_mentions_are_paired_by_their_attributes():
    """Two mentions of one place and type, told apart by their values alone."""
    both = (mention("T1", "p", (0, 4)), mention("T2", "p", (0, 4)))
    gold = doc(*both, Attribute("A1", "Time", "T1", "now"), Attribute("A2", "Time", "T2", "past"))
    turned = doc(*both, Attribute("A1", "Time", "T2", "now"), Attribute("A2", "Time", "T1", "past"))
    for match in ("exact", "overlap"):
        assert total(scored(gold, turned), ENDS.format(match)) == (2, 0, 0)


def test_agreement_goes_before_the_number_of_pairs():
    """Pairing crosswise would match two mentions; straight, one mention and its attribute."""
    gold = doc(
        mention("T1", "p", (0, 6)), mention("T2", "p", (0, 2)), Attribute("A1", "N", "T1", "x")
    )
    predicted = doc(
        mention("T1", "p", (0, 3)), mention("T2", "p", (4, 6)), Attribute("A1", "N", "T1", "x")
    )
    scores = scored(gold, predicted)
    assert total(scores, ENDS.format("overlap")) == (1, 0, 0)
    assert total(scores, "entities.overlap") == (2, 0, 0)
    assert scores.sections[FOUND.format("overlap")].counts["matched"] == 1


def test_slashes_and_empty_values_have_rows_of_their_own():
    one = mention("T1", "p", (0, 4))
    names = [("a/b", "c"), ("a", "b/c"), ("a", "")]
    gold = doc(one, *(Attribute(f"A{i}", n, "T1", v) for i, (n, v) in enumerate(names)))
    tables = scored(gold, gold).sections[ENDS.format("exact")].tables
    assert set(tables["attribute"]) == {"a", "a/b"}
    assert set(tables["value"]) == {"a\\/b/c", "a/b\\/c", "a/(empty)"}
