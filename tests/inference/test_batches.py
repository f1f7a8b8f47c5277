from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world

from clinprompt.backbone import engine
from clinprompt.inference.batches import SMALL, Size, batches

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


def padded(sizes: list[Size], batch: Sequence[int]) -> int:
    width = Size(0, 0, 0)
    for i in batch:
        width = width.widened(sizes[i])
    return width.total * len(batch)


@given(SIZES, st.integers(1, 20_000))
def test_batches_are_as_full_as_order_and_padding_allow(sizes: list[Size], budget: int) -> None:
    found = batches(sizes, budget)
    for batch, following in pairwise(found):
        longer = [*batch, following[0]]
        real = sum(sizes[i].total for i in longer)
        most = max(budget // SMALL, min(budget, 4 * real // 3))
        assert padded(sizes, longer) > most
    texts = [sizes[i].text for batch in found for i in batch]
    assert texts == sorted(texts, reverse=True)


@given(SIZES, st.integers(1, 20_000))
def test_at_most_a_quarter_of_a_batch_is_padding(sizes: list[Size], budget: int) -> None:
    for batch in batches(sizes, budget):
        real = sum(sizes[i].total for i in batch)
        assert padded(sizes, batch) <= max(4 * real / 3, budget // SMALL)


def test_a_long_row_does_not_make_short_ones_long() -> None:
    sizes = [Size(100, 60, 30)] * 200 + [Size(100, 7000, 30)]
    assert batches(sizes, 65_536) == [[200], list(range(200))]


@torch.no_grad()
def test_joined_prefixes_are_those_of_one_pass() -> None:
    backbone = world.prepared().backbone
    prompts = [torch.randn(3, 32), None, torch.randn(1, 32)]
    fixed = [[1, 2, 3, 4], [5], [6, 7]]
    expected = engine.prefix(backbone, prompts, fixed)
    found = engine.joined(
        [engine.prefix(backbone, [p], [f]) for p, f in zip(prompts, fixed, strict=True)]
    )
    assert found.lengths.tolist() == expected.lengths.tolist() == [7, 1, 3]
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            for task, length in enumerate(found.lengths.tolist()):
                torch.testing.assert_close(
                    mine[task, :, :length], other[task, :, :length], rtol=1e-4, atol=1e-5
                )
