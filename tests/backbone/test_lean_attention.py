"""Attention by blocks of queries on the keys that they may see, against the plain formula."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinprompt.backbone.lean import attention
from clinprompt.backbone.lean.attention import Seen, attend, attend_backward

B, N, M, D = 2, 4, 2, 8


def visible(kind: str, queries: int, before: int) -> Tensor:
    """[B, 1, Q, K] of rows behind a prefix with padding in it, of different length in each row."""
    q, k = torch.arange(queries)[:, None] + before, torch.arange(before + queries)
    seen = k <= q
    if kind == "window":
        seen = seen & (k > q - 7)
    if kind == "branches":  # the second half goes on from the first third
        branch = (q >= before + queries // 2) & (k > before + queries // 3)
        seen = seen & ~(branch & (k < before + queries // 2))
    both = seen.expand(B, 1, -1, -1).clone()
    if kind != "window":
        both[1, :, :, before // 2 : before] = False
    return both


def naive(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    group = N // M
    keys, values = (x.repeat_interleave(group, 1) for x in (keys, values))
    return (query @ keys.transpose(2, 3) + bias).softmax(-1) @ values


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "by-blocks"])
@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["causal", "window", "branches"]),
    st.integers(1, 60),
    st.integers(0, 40),
    st.sampled_from([1, 3000, 10**6]),
)
def test_values_and_gradients(kept: bool, kind: str, queries: int, before: int, part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "MOST_KEPT", 2**30 if kept else 0)
        patch.setattr(attention, "_PART", part)
        torch.manual_seed(queries)
        shapes = [(N, queries), (M, before + queries), (M, before + queries)]
        given_ = [torch.randn(B, h, n, D).double().requires_grad_() for h, n in shapes]
        bias = attention.additive(visible(kind, queries, before), torch.float64)
        expected = naive(*given_, bias)
        upstream = torch.randn_like(expected)
        expected.backward(upstream)
        plain = [x.detach() for x in given_]
        seen = Seen(bias)
        found, weights = attend(*plain, seen)
        assert (weights is None) != kept
        torch.testing.assert_close(found, expected.detach())
        gradients = attend_backward(upstream, *plain, seen, weights)
        for ours, theirs in zip(gradients, given_, strict=True):
            assert theirs.grad is not None
            torch.testing.assert_close(ours, theirs.grad)


@pytest.mark.parametrize("kind", ["causal", "window", "branches"])
@pytest.mark.parametrize("step", [1, 16, 17, 1000])
def test_blocks_hold_all_that_is_seen_and_little_else(kind: str, step: int) -> None:
    mask = visible(kind, 100, 30)
    blocks = list(Seen(attention.additive(mask, torch.bfloat16)).blocks(step))
    covered = torch.zeros(100, 130, dtype=torch.int)
    for rows, columns in blocks:
        covered[rows, columns] += 1
    assert int(covered.max()) == 1
    assert not (mask.any(0)[0] & (covered == 0)).any()
    if step <= 16:
        assert covered.sum() < {"causal": 0.75, "branches": 0.75, "window": 0.25}[kind] * 13000


def test_gradients_in_bfloat16_are_added_up_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """By many small blocks no worse than all at once."""
    torch.manual_seed(0)
    wide = [torch.randn(1, h, n, D).double() for h, n in ((N, 512), (M, 512), (M, 512))]
    mask = torch.ones(512, 512).tril().bool().expand(1, 1, -1, -1)
    upstream = torch.randn(1, N, 512, D).double()

    def errors(dtype: torch.dtype, part: int) -> list[Tensor]:
        monkeypatch.setattr(attention, "MOST_KEPT", 0)
        monkeypatch.setattr(attention, "_PART", part)
        seen = Seen(attention.additive(mask, dtype))
        return list(attend_backward(upstream.to(dtype), *(x.to(dtype) for x in wide), seen, None))

    exact = errors(torch.float64, 2**30)
    for whole, parts, right in zip(
        errors(torch.bfloat16, 2**30), errors(torch.bfloat16, 1), exact, strict=True
    ):
        assert (parts - right).norm() < 1.1 * (whole - right).norm()
