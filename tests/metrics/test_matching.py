from __future__ import annotations

from itertools import combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.metrics.matching import matching_size, overlaps

SPAN = st.tuples(st.integers(0, 12), st.integers(1, 4)).map(lambda s: (s[0], s[0] + s[1]))
MENTION = st.lists(SPAN, min_size=1, max_size=3).map(lambda spans: tuple(sorted(spans)))
MENTIONS = st.lists(MENTION, max_size=6)
EDGES = st.lists(st.sets(st.integers(0, 5)), max_size=6)


def brute_force(edges: list[set[int]]) -> int:
    """The largest matching by trying all of them."""
    for size in range(len(edges), 0, -1):
        for lefts in combinations(range(len(edges)), size):
            for rights in permutations(range(6), size):
                if all(r in edges[left] for left, r in zip(lefts, rights, strict=True)):
                    return size
    return 0


@settings(max_examples=300)
@given(st.lists(st.sets(st.integers(0, 5)), max_size=5))
def test_matching_is_maximum(edges: list[set[int]]) -> None:
    assert matching_size(edges) == brute_force(edges)


def test_matching_moves_earlier_pairs_to_make_room() -> None:
    # 0 may take a or b, 1 only a, 2 may take b or c: all three fit in one way only.
    assert matching_size([{0, 1}, {0}, {1, 2}]) == 3
    assert matching_size([{0, 1, 2}, {0}, {0}]) == 2  # the moved pair gives up its old place


def test_long_chains_do_not_exhaust_the_stack() -> None:
    size = 3000
    chain = [{n, n + 1} for n in range(size)] + [{0}]
    assert matching_size(chain) == size + 1


@given(MENTIONS, MENTIONS)
def test_overlaps_are_shared_characters(left: list, right: list) -> None:
    def characters(mention: tuple) -> set[int]:
        return {position for start, end in mention for position in range(start, end)}

    expected = [
        {j for j, other in enumerate(right) if characters(mention) & characters(other)}
        for mention in left
    ]
    assert overlaps(left, right) == expected


@given(EDGES)
def test_matching_is_the_same_from_the_other_side(edges: list[set[int]]) -> None:
    turned = [{left for left, rights in enumerate(edges) if right in rights} for right in range(6)]
    assert matching_size(turned) == matching_size(edges)
