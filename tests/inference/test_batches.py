from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world

from clinprompt.backbone import engine
from clinprompt.inference.batches import Size, batches, joined

SIZES = st.lists(
    st.builds(Size, st.integers(0, 30), st.integers(1, 200), st.integers(1, 50)), max_size=30
)


@given(SIZES, st.integers(1, 2000))
def test_every_row_is_in_one_batch_within_the_budget(sizes: list[Size], budget: int) -> None:
    found = batches(sizes, budget)
    assert sorted(i for batch in found for i in batch) == list(range(len(sizes)))
    for batch in found:
        width = Size(0, 0, 0)
        for i in batch:
            width = width.widened(sizes[i])
        assert len(batch) == 1 or width.total * len(batch) <= budget


@given(SIZES, st.integers(1, 2000))
def test_batches_are_as_full_as_the_order_allows(sizes: list[Size], budget: int) -> None:
    found = batches(sizes, budget)
    for batch, following in pairwise(found):
        width = Size(0, 0, 0)
        for i in (*batch, following[0]):
            width = width.widened(sizes[i])
        assert width.total * (len(batch) + 1) > budget
    texts = [sizes[i].text for batch in found for i in batch]
    assert texts == sorted(texts, reverse=True)


@torch.no_grad()
def test_joined_prefixes_are_those_of_one_pass() -> None:
    backbone = world.prepared().backbone
    prompts = [torch.randn(3, 32), None, torch.randn(1, 32)]
    fixed = [[1, 2, 3, 4], [5], [6, 7]]
    expected = engine.prefix(backbone, prompts, fixed)
    found = joined([engine.prefix(backbone, [p], [f]) for p, f in zip(prompts, fixed, strict=True)])
    assert found.lengths.tolist() == expected.lengths.tolist() == [7, 1, 3]
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            for task, length in enumerate(found.lengths.tolist()):
                torch.testing.assert_close(
                    mine[task, :, :length], other[task, :, :length], rtol=1e-4, atol=1e-5
                )
