from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.experiments.report.similarity import (
    average_linkage,
    centred,
    cosines,
    gram,
    order,
)


def factors(seed: int, tasks: int = 5, length: int = 3, rank: int = 2, hidden: int = 7):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(tasks, length, rank)), draw.normal(size=(tasks, rank, hidden))


def formed(u, v):
    return (u @ v).reshape(len(u), -1)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 3))
def test_inner_products_equal_those_of_the_formed_matrices(seed, tasks, rank):
    u, v = factors(seed, tasks=tasks, rank=rank)
    whole = formed(u, v)
    assert gram(u, v) == pytest.approx(whole @ whole.T)


@given(st.integers(0, 10_000))
def test_centring_takes_off_the_mean_update(seed):
    u, v = factors(seed)
    rest = formed(u, v) - formed(u, v).mean(axis=0)
    assert centred(gram(u, v)) == pytest.approx(rest @ rest.T, abs=1e-9)


def test_cosines():
    things = np.array([[1.0, 0], [2, 0], [0, 3], [-1, 0]])
    expected = [[1, 1, 0, -1], [1, 1, 0, -1], [0, 0, 1, 0], [-1, -1, 0, 1]]
    assert cosines(things @ things.T) == pytest.approx(np.array(expected))


def test_what_has_no_length_is_like_nothing_else():
    found = cosines(np.array([[0.0, 0], [0, 4]]))
    assert found.tolist() == [[1, 0], [0, 1]]


def test_equal_tasks_have_no_direction_of_their_own():
    u, v = factors(1, tasks=1)
    products = gram(np.repeat(u, 3, 0), np.repeat(v, 3, 0))
    assert cosines(products) == pytest.approx(np.ones((3, 3)))
    assert np.isfinite(cosines(centred(products))).all()


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_clusters_equal_those_of_scipy(seed, count):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    points = np.random.default_rng(seed).normal(size=(count, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    found = average_linkage(distances)
    expected = hierarchy.linkage(distances[np.triu_indices(count, 1)], "average")
    assert [join.height for join in found] == pytest.approx(expected[:, 2].tolist())
    assert [join.size for join in found] == expected[:, 3].tolist()
    pairs = [sorted((join.left, join.right)) for join in found]
    assert pairs == [sorted(row) for row in expected[:, :2].astype(int).tolist()]


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_the_order_keeps_every_cluster_together(seed, count):
    points = np.random.default_rng(seed).normal(size=(count, 2))
    joins = average_linkage(np.linalg.norm(points[:, None] - points[None], axis=-1))
    found = order(joins, count)
    assert sorted(found) == list(range(count))
    members = {k: {k} for k in range(count)}
    for number, join in enumerate(joins):
        members[count + number] = members[join.left] | members[join.right]
        places = sorted(found.index(k) for k in members[count + number])
        assert places == list(range(places[0], places[0] + join.size))


def test_alike_tasks_stand_side_by_side():
    like = np.array([[1, 0.1, 0.9], [0.1, 1, 0.2], [0.9, 0.2, 1]])
    joins = average_linkage(1 - like)
    assert (joins[0].left, joins[0].right) == (0, 2)
    assert order(joins, 3) in ([1, 0, 2], [0, 2, 1])
