from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from clinprompt.metrics.documents.assignment import best_pairs

edges = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 5)), st.integers(1, 9), max_size=14
)


def by_force(weights: dict[tuple[int, int], int]) -> int:
    """The largest sum over all ways of giving each left index another right one."""
    return max(
        sum(weights.get((left, right), 0) for left, right in enumerate(order))
        for order in permutations(range(6), 5)
    )


@given(edges)
def test_the_pairing_is_one_to_one_and_sums_to_the_most(weights):
    pairs = best_pairs(weights)
    assert set(pairs) <= weights.keys()
    assert len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs)
    assert sum(weights[pair] for pair in pairs) == by_force(weights)


@given(edges)
def test_sides_may_be_swapped(weights):
    swapped = best_pairs({(right, left): weight for (left, right), weight in weights.items()})
    assert sum(weights[left, right] for right, left in swapped) == by_force(weights)


def test_a_large_tangle_is_solved():
    size = 150
    weights = {(i, j): 1 + (i * 7 + j * 13) % 10 for i in range(size) for j in range(size)}
    pairs = best_pairs(weights)
    assert len(pairs) == size
    assert sum(weights[pair] for pair in pairs) == 10 * size  # each row can have a 10


def test_nothing_to_pair():
    assert best_pairs({}) == []
