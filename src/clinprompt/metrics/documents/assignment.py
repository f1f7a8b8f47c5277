"""One-to-one pairing with the largest sum of weights (the assignment problem)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[tuple[int, int], int]  # (left, right) -> weight above 0


def best_pairs(weights: Weights) -> list[tuple[int, int]]:
    """The one-to-one pairing whose weights sum to the most, sorted.

    Connected components are solved on their own, so the cost grows with the largest tangle of
    candidates and not with their number. Among equally good pairings the order of the indices
    decides: give both sides in a canonical order.

    Args:
        weights: of the pairs that may be made; all above 0.
    """
    pairs: list[tuple[int, int]] = []
    for lefts, rights in _components(weights):
        if len(lefts) == len(rights) == 1:
            pairs.append((lefts[0], rights[0]))
            continue
        matrix = np.zeros((len(lefts), len(rights)), dtype=np.int64)
        for i, left in enumerate(lefts):
            for j, right in enumerate(rights):
                matrix[i, j] = weights.get((left, right), 0)
        pairs += [
            (lefts[i], rights[j]) for i, j in _solve(matrix) if (lefts[i], rights[j]) in weights
        ]
    return sorted(pairs)


def _components(weights: Weights) -> list[tuple[list[int], list[int]]]:
    """Left and right indices of each connected component."""
    to_right: dict[int, list[int]] = {}
    to_left: dict[int, list[int]] = {}
    for left, right in sorted(weights):
        to_right.setdefault(left, []).append(right)
        to_left.setdefault(right, []).append(left)
    seen: set[int] = set()
    found = []
    for root in to_right:
        if root in seen:
            continue
        seen.add(root)
        lefts, rights, stack = [root], set[int](), [root]
        while stack:
            for right in to_right[stack.pop()]:
                if right not in rights:
                    rights.add(right)
                    new = [left for left in to_left[right] if left not in seen]
                    seen.update(new)
                    lefts += new
                    stack += new
        found.append((sorted(lefts), sorted(rights)))
    return found


def _solve(weights: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs (row, column) with the largest sum; every row or every column of [N, M] is paired.

    The Hungarian method with row and column potentials: rows come in one by one, each along the
    cheapest augmenting path (Kuhn 1955; Jonker & Volgenant 1987), O(N² M).
    """
    if weights.shape[0] > weights.shape[1]:
        return [(row, column) for column, row in _solve(weights.T)]
    cost = weights.max() - weights
    n, m = cost.shape
    far = np.iinfo(np.int64).max // 4
    row_potential = np.zeros(n + 1, dtype=np.int64)
    column_potential = np.zeros(m + 1, dtype=np.int64)
    row_of = np.full(m + 1, n)  # row of each column; n is none, column m is where a path begins
    for row in range(n):
        row_of[m] = row
        nearest = np.full(m, far)
        came_from = np.full(m, m)
        done = np.zeros(m + 1, dtype=bool)
        column = m
        while row_of[column] != n:
            done[column] = True
            current = row_of[column]
            reduced = cost[current] - row_potential[current] - column_potential[:m]
            better = ~done[:m] & (reduced < nearest)
            nearest[better] = reduced[better]
            came_from[better] = column
            following = int(np.where(done[:m], far, nearest).argmin())
            step = nearest[following]
            row_potential[row_of[done]] += step
            column_potential[done] -= step
            nearest[~done[:m]] -= step
            column = following
        while column != m:
            row_of[column] = row_of[came_from[column]]
            column = int(came_from[column])
    return [(int(row_of[column]), column) for column in range(m) if row_of[column] != n]
