from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.model import (
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.documents.statistics import Lengths, statistics


def counts(*places):
    mentions = tuple(Mention(f"T{i}", "X", spans) for i, spans in enumerate(places))
    found = statistics([Document("d", "x" * 40, mentions)]).mentions
    return found.nested, found.overlapping, found.coinciding


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        ([((0, 5),), ((5, 9),)], (0, 0, 0)),
        ([((0, 9),), ((2, 5),)], (1, 0, 0)),
        ([((0, 9),), ((0, 5),), ((5, 9),)], (2, 0, 0)),
        ([((0, 5),), ((3, 9),)], (0, 2, 0)),
        ([((0, 5),), ((0, 5),)], (0, 0, 2)),
        ([((0, 2), (6, 9)), ((3, 5),)], (0, 0, 0)),  # in a gap
        ([((0, 2), (6, 9)), ((6, 8),)], (1, 0, 0)),
        ([((0, 2), (6, 9)), ((4, 9),)], (0, 2, 0)),
        ([((0, 2), (6, 9)), ((0, 9),)], (1, 0, 0)),
        ([((3, 3),), ((0, 9),)], (0, 0, 0)),  # no characters, none shared
        ([((0, 9),), ((1, 8),), ((2, 3),)], (2, 0, 0)),
    ],
)
def test_how_mentions_lie_to_each_other(places, wanted):
    assert counts(*places) == wanted
    assert counts(*reversed(places)) == wanted


spans = st.lists(st.integers(0, 12), min_size=2, max_size=4, unique=True).map(
    lambda ends: tuple(zip(*[iter(sorted(ends)[: len(ends) // 2 * 2])] * 2, strict=True))
)


@given(st.lists(spans, max_size=7))
def test_the_sweep_finds_what_sets_of_characters_say(places):
    sets = [frozenset(i for a, b in one for i in range(a, b)) for one in places]
    pairs = [(i, j) for i in range(len(sets)) for j in range(len(sets)) if i != j]
    nested = {i for i, j in pairs if sets[i] < sets[j]}
    same = {i for i, j in pairs if sets[i] == sets[j]}
    crossing = {
        i for i, j in pairs if sets[i] & sets[j] and sets[i] - sets[j] and sets[j] - sets[i]
    }
    assert counts(*places) == (len(nested), len(crossing), len(same))


def test_everything_is_counted():
    note = Document(
        "a",
        "fever and dry cough",
        (
            Mention("T1", "Sign", ((0, 5),)),
            Mention("T2", "Sign", ((0, 5), (14, 19))),
            Mention("T3", "Kind", ((10, 13),)),
            Link("R1", "Of", (Argument("Arg1", "T3"), Argument("Arg2", "T2"))),
            Event("E1", "T1"),
            Event("E2", "T9"),
            Attribute("A1", "Negated", "T1"),
            Attribute("A2", "Degree", "T1", "mild"),
            Normalization("N1", "T1", "MeSH", "D1"),
            Comment("#1", "Note", "T1", "?"),
            Equivalence("Same", ("T1", "T2")),
        ),
        (Passage((0, 5), "first"),),
    )
    assert statistics([note, Document("b", "xyz")]).as_json() == {
        "documents": 2,
        "annotated_documents": 1,
        "characters": 22,
        "document_characters": {"minimum": 3, "median": 11, "mean": 11.0, "maximum": 19},
        "mentions": {
            "mentions": 3,
            "documents": 1,
            "discontinuous": 1,
            "nested": 1,
            "overlapping": 0,
            "coinciding": 0,
            "characters": {"minimum": 3, "median": 5, "mean": 6.0, "maximum": 10},
        },
        "labels": {
            "Sign": {
                "mentions": 2,
                "documents": 1,
                "discontinuous": 1,
                "nested": 1,
                "overlapping": 0,
                "coinciding": 0,
                "characters": {"minimum": 5, "median": 7.5, "mean": 7.5, "maximum": 10},
            },
            "Kind": {
                "mentions": 1,
                "documents": 1,
                "discontinuous": 0,
                "nested": 0,
                "overlapping": 0,
                "coinciding": 0,
                "characters": {"minimum": 3, "median": 3, "mean": 3.0, "maximum": 3},
            },
        },
        "relations": {"Of": 1},
        "events": {"": 1, "Sign": 1},
        "attributes": {"Degree=mild": 1, "Negated": 1},
        "concepts": {"MeSH": 1},
        "passages": {"first": 1},
        "comments": 1,
        "equivalences": 1,
    }


def test_nothing_has_no_lengths():
    assert Lengths.of([]) is None
    found = statistics([]).as_json()
    assert found["documents"] == 0 and found["document_characters"] is None
