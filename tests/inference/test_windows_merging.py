from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.examples import Entity, Relation, Span
from clinprompt.inference.windows.pooling import best, pooled
from clinprompt.inference.windows.seams import Listed, merged_entities, merged_relations

NOTE = "He has acute renal failure and fever since then."
A, B = (0, 18), (13, 48)  # "He has acute renal" and "renal failure and fever since then."


def mention(*spans: Span, label: str = "Sign") -> Entity:
    return Entity(spans, label)


def listed(window: Span, *entities: Entity) -> Listed:
    """Offsets count in the note."""
    return Listed(window, entities)


def test_offsets_count_in_the_note() -> None:
    part = Listed.of(B, [mention((18, 23))])
    assert part.entities == (mention((31, 36)),)
    assert NOTE[31:36] == "fever"
    head, tail = mention((0, 5)), mention((18, 23))
    part = Listed.of(B, [Relation(head, tail, "r")])
    assert part.entities == (mention((13, 18)), mention((31, 36)))
    assert part.relations == (Relation(*part.entities, "r"),)


def test_equal_mentions_stand_once_in_the_order_of_the_text() -> None:
    same = mention((13, 18))
    found = merged_entities([listed(B, mention((31, 36)), same), listed(A, same)])
    assert found == (same, mention((31, 36)))


def test_labels_tell_mentions_apart() -> None:
    both = (mention((13, 18)), mention((13, 18), label="Organ"))
    assert merged_entities([listed(A, both[0]), listed(B, both[1])]) == tuple(sorted(both))


def test_a_mention_cut_by_the_seam_is_replaced_by_the_whole_one() -> None:
    cut, whole = mention((13, 18)), mention((13, 26))  # renal / renal failure
    assert merged_entities([listed(A, cut), listed(B, whole)]) == (whole,)
    assert merged_entities([listed(B, whole), listed(A, cut)]) == (whole,)
    # Cut at its beginning: the second window could not see "acute".
    tail = (0, 30)
    longer = mention((7, 26))
    assert merged_entities([listed(tail, longer), listed(B, whole)]) == (longer,)


def test_a_cut_mention_need_not_end_at_the_seam() -> None:
    """The window before the seam may have left out words that only the whole mention has."""
    cut, whole = mention((13, 16)), mention((13, 26))
    assert merged_entities([listed(A, cut), listed(B, whole)]) == (whole,)


def test_a_nested_mention_stays() -> None:
    nested, whole = mention((13, 18)), mention((13, 26))
    found = merged_entities([listed(A, nested), listed(B, nested, whole)])
    assert found == (nested, whole)
    other = mention((13, 18), label="Organ")
    assert merged_entities([listed(A, other), listed(B, whole)]) == (other, whole)


def test_windows_that_see_the_same_text_may_disagree() -> None:
    shorter, longer = mention((31, 36)), mention((31, 42))
    found = merged_entities([listed((0, 45), shorter), listed(B, longer)])
    assert found == (shorter, longer)


def test_fragments_must_all_be_covered() -> None:
    cut, whole = mention((7, 12), (13, 18)), mention((7, 12), (13, 26))
    tail = (5, 48)
    assert merged_entities([listed(A, cut), listed(tail, whole)]) == (whole,)
    apart = mention((2, 4), (13, 18))
    assert merged_entities([listed(A, apart), listed(tail, whole)]) == (apart, whole)


def test_of_several_whole_mentions_the_longest_counts() -> None:
    cut = mention((13, 18))
    found = merged_entities([listed(A, cut), listed(B, mention((13, 26)), mention((13, 36)))])
    assert found == (mention((13, 26)), mention((13, 36)))


def test_relations_are_merged_and_their_ends_made_whole() -> None:
    cut, whole, fever = mention((13, 18)), mention((13, 26)), mention((31, 36))
    first, he = (0, 24), mention((0, 2))
    parts = [
        Listed(first, (he, cut), (Relation(he, cut, "has"),)),
        Listed((0, 30), (he, whole), (Relation(he, whole, "has"),)),
        Listed(B, (whole, fever), (Relation(fever, whole, "with"),)),
    ]
    assert merged_relations(parts) == (
        Relation(he, whole, "has"),
        Relation(fever, whole, "with"),
    )


spans = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(st.tuples(spans, st.lists(st.tuples(spans, st.sampled_from("xy")))), max_size=5))
def test_merging_depends_on_no_order_and_keeps_every_place(
    drawn: list[tuple[Span, list[tuple[Span, str]]]],
) -> None:
    parts = [
        listed(
            window,
            *(mention(s, label=n) for s, n in found if window[0] <= s[0] and s[1] <= window[1]),
        )
        for window, found in drawn
    ]
    merged = merged_entities(parts)
    assert merged == merged_entities(parts[::-1])
    assert list(merged) == sorted(set(merged))
    every = {entity for part in parts for entity in part.entities}
    assert set(merged) <= every
    for entity in every - set(merged):
        assert any(
            m.label == entity.label and m.start <= entity.start and entity.end <= m.end
            for m in merged
        )


def test_the_best_window_decides() -> None:
    found = pooled([{"y": 0.6, "n": 0.4}, {"y": 0.9, "n": 0.1}, {"y": 0.5, "n": 0.5}])
    assert found == pytest.approx({"y": 0.9 / 1.4, "n": 0.5 / 1.4})
    assert best(found) == "y"
    assert best({"a": 0.5, "b": 0.5}) == "a"


def test_nothing_must_hold_everywhere() -> None:
    shares = [{"treats": 0.01, "none": 0.99}, {"treats": 0.7, "none": 0.3}]
    assert best(pooled(shares)) == "none"
    found = pooled(shares, ["none"])
    assert found == pytest.approx({"treats": 0.7, "none": 0.3})
    assert best(pooled(shares[:1] * 3, ["none"])) == "none"


def test_one_window_is_as_it_is() -> None:
    shares = {"a": 0.25, "b": 0.75}
    assert pooled([shares]) == pooled([shares], ["b"]) == shares


shares = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda s: {n: v / sum(s) for n, v in zip("abc", s, strict=True)}
)


@given(st.lists(shares, min_size=1, max_size=6), st.sets(st.sampled_from("abc")))
def test_pooled_shares_sum_to_one(windows: list[dict[str, float]], negative: set[str]) -> None:
    found = pooled(windows, negative)
    assert list(found) == ["a", "b", "c"]
    assert sum(found.values()) == pytest.approx(1)
    again = pooled(windows[::-1] + windows, negative)
    assert found == pytest.approx(again)  # neither order nor repetition counts
