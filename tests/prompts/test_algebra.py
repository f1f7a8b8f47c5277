from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.prompts import compose, from_embeddings, mean_update, unit_vectors, vocabulary_ids

sizes = st.integers(1, 6)


@given(sizes, sizes, sizes)
def test_unit_vectors_leave_the_shared_prompt_as_it_is(p, h, r):
    u, v = unit_vectors(p, h, r)
    shared = torch.randn(p, h)
    assert torch.equal(compose(shared, u, v), shared)


def test_compose_is_the_elementwise_product_for_each_task():
    shared, u, v = torch.randn(4, 5), torch.randn(3, 4, 2), torch.randn(3, 2, 5)
    found = compose(shared, u, v)
    for k in range(3):
        for i in range(4):
            for j in range(5):
                expected = shared[i, j] * sum(u[k, i, r] * v[k, r, j] for r in range(2))
                torch.testing.assert_close(found[k, i, j], expected)


@given(sizes, sizes, sizes, st.integers(0, 99))
def test_mean_update_of_equal_tasks_is_their_product(k, p, h, seed):
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(p, 1, generator=generator).expand(k, p, 1)
    v = torch.randn(1, h, generator=generator).expand(k, 1, h)
    new_u, new_v, lost = mean_update(u, v)
    torch.testing.assert_close(new_u @ new_v, u[0] @ v[0], atol=1e-5, rtol=1e-4)
    assert lost < 1e-9


def test_mean_update_averages_products_and_not_factors():
    u = torch.tensor([[[1.0], [0.0]], [[0.0], [1.0]]])
    v = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]]])
    new_u, new_v, lost = mean_update(u, v)
    # The mean product is diag(1, 0.5); its best rank-one approximation is diag(1, 0).
    torch.testing.assert_close(new_u @ new_v, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    assert abs(lost - 0.2) < 1e-6


def test_mean_update_is_the_best_approximation():
    torch.manual_seed(0)
    u, v = torch.randn(5, 6, 2), torch.randn(5, 2, 7)
    new_u, new_v, lost = mean_update(u, v)
    mean = (u @ v).mean(0)
    error = ((mean - new_u @ new_v) ** 2).sum() / (mean**2).sum()
    torch.testing.assert_close(float(error), lost, atol=1e-5, rtol=1e-4)
    for _ in range(50):  # no random neighbour is nearer
        other = (new_u + 0.05 * torch.randn_like(new_u)) @ (new_v + 0.05 * torch.randn_like(new_v))
        assert ((mean - other) ** 2).sum() / (mean**2).sum() >= lost - 1e-6


def test_weights_say_how_much_each_product_counts():
    torch.manual_seed(0)
    u, v = torch.randn(3, 4, 2), torch.randn(3, 2, 5)
    alike = mean_update(u, v, torch.full((3,), 1 / 3))
    for found, expected in zip(alike[:2], mean_update(u, v)[:2], strict=True):
        torch.testing.assert_close(found, expected)
    one_u, one_v, lost = mean_update(u, v, torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(one_u @ one_v, u[1] @ v[1], atol=1e-5, rtol=1e-4)
    assert lost < 1e-9
    weights = torch.tensor([0.7, 0.1, 0.2])
    some_u, some_v, lost = mean_update(u, v, weights)
    mean = sum(weight * (a @ b) for weight, a, b in zip(weights, u, v, strict=True))
    error = ((mean - some_u @ some_v) ** 2).sum() / (mean**2).sum()
    torch.testing.assert_close(float(error), lost, atol=1e-5, rtol=1e-4)


def test_vocabulary_ids_are_seeded_distinct_and_never_special():
    ids = vocabulary_ids(20, 50, 3, exclude={1, 2, 3})
    assert ids == vocabulary_ids(20, 50, 3, exclude={1, 2, 3}) != vocabulary_ids(20, 50, 4)
    assert len(set(ids)) == 20
    assert not {1, 2, 3} & set(ids)


def test_from_embeddings_repeats_what_is_short():
    embeddings = torch.randn(2, 3)
    assert torch.equal(from_embeddings(embeddings, 5), embeddings[[0, 1, 0, 1, 0]])
