"""How alike tasks are: cosines of their rank-R updates, and an order that puts like beside like.

The update of task k is the matrix M_k = u_k v_k [P, H]. Inner products of such matrices follow from
the factors, <M_i, M_j> = sum of (u_i' u_j) * (v_i v_j') over R x R, so no M is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def gram(u: Array, v: Array) -> Array:
    """Inner products of all pairs of updates.

    Args:
        u: [K, P, R].
        v: [K, R, H].

    Returns:
        [K, K], symmetric.
    """
    u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    tasks, length, rank = u.shape
    left = u.transpose(1, 0, 2).reshape(length, tasks * rank)  # [P, K R]
    right = v.reshape(tasks * rank, -1)  # [K R, H]
    products = (left.T @ left) * (right @ right.T)
    return products.reshape(tasks, rank, tasks, rank).sum(axis=(1, 3))


def centred(products: Array) -> Array:
    """Inner products [K, K] of the same things with their mean taken off (double centring)."""
    rows = products.mean(axis=0, keepdims=True)
    return products - rows - rows.T + products.mean()


def cosines(products: Array) -> Array:
    """Cosines [K, K] from inner products [K, K].

    A thing of no length is like itself (1) and like nothing else (0).
    """
    length = np.sqrt(np.clip(np.diag(products), 0, None))
    # Centring leaves rounding errors where nothing was left.
    there = length > 1e-7 * (length.max() if len(length) else 1)
    norm = np.where(there, length, 1)
    found = products / norm[:, None] / norm[None, :]
    found = np.where(there[:, None] & there[None, :], found, 0)
    np.fill_diagonal(found, 1)
    return np.clip(found, -1, 1)


@dataclass(frozen=True)
class Join:
    """Two clusters become one. Clusters 0..K-1 are the tasks, K + i is the i-th join."""

    left: int
    right: int
    height: float
    size: int


def average_linkage(distances: Array) -> list[Join]:
    """Hierarchical clustering by mean distance between members (UPGMA, Sokal & Michener 1958).

    Args:
        distances: [K, K], symmetric, zeros on the diagonal.

    Returns:
        K - 1 joins, of growing height. Of equally near pairs the first is joined.
    """
    count = len(distances)
    between = {(i, j): float(distances[i, j]) for i in range(count) for j in range(i + 1, count)}
    size = dict.fromkeys(range(count), 1)
    joins = []
    for new in range(count, 2 * count - 1):
        left, right = min(between, key=lambda pair: (between[pair], pair))
        height = between.pop((left, right))
        a, b = size.pop(left), size.pop(right)
        for other in size:
            first = between.pop((min(left, other), max(left, other)))
            second = between.pop((min(right, other), max(right, other)))
            between[other, new] = (a * first + b * second) / (a + b)
        size[new] = a + b
        joins.append(Join(left, right, height, a + b))
    return joins


def order(joins: list[Join], count: int) -> list[int]:
    """The tasks from left to right, so that no lines of the tree cross."""
    found = list(range(count)) if not joins else []
    waiting = [count + len(joins) - 1] if joins else []
    while waiting:
        cluster = waiting.pop()
        if cluster < count:
            found.append(cluster)
        else:
            join = joins[cluster - count]
            waiting += [join.right, join.left]
    return found
