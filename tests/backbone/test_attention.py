"""The CPU attention against torch's own and against a plain float64 formula."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinprompt.backbone import attention
from tests.backbone import tiny


def plain(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scale: float
) -> Tensor:
    """softmax(q kᵀ · scale) v, a head at a time."""
    group = query.shape[1] // key.shape[1]
    heads = []
    for n in range(query.shape[1]):
        scores = query[:, n] @ key[:, n // group].transpose(1, 2) * scale
        if visible is not None:
            scores = scores.masked_fill(~visible[:, 0], -torch.inf)
        heads.append(torch.softmax(scores, -1) @ value[:, n // group])
    return torch.stack(heads, 1)


def drawn(b: int, n: int, m: int, q: int, k: int, d: int, seed: int) -> tuple[Any, ...]:
    random = torch.Generator().manual_seed(seed)
    made = [
        torch.randn(shape, generator=random, dtype=torch.float64)
        for shape in ((b, n, q, d), (b, m, k, d), (b, m, k, d))
    ]
    visible = torch.rand((b, 1, q, k), generator=random) < 0.6
    visible[..., 0] = True  # no query sees nothing
    return *made, visible


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 7),
    st.sampled_from([4, 8]),
    st.sampled_from([None, 0.3]),
    st.booleans(),
    st.integers(0, 99),
)
def test_output_and_gradients_are_those_of_the_formula(
    b: int, m: int, group: int, q: int, k: int, d: int, scale: Any, masked: bool, seed: int
) -> None:
    *tensors, visible = drawn(b, m * group, m, q, k, d, seed)
    mask = visible if masked else None
    ours = [t.clone().requires_grad_() for t in tensors]
    theirs = [t.clone().requires_grad_() for t in tensors]
    out = attention.attend(*ours, mask, scale)
    expected = plain(*theirs, mask, d**-0.5 if scale is None else scale)
    torch.testing.assert_close(out, expected)
    weight = torch.randn(out.shape, dtype=out.dtype)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("needed", range(3))
def test_only_what_is_needed_is_differentiated(needed: int) -> None:
    *tensors, visible = drawn(2, 4, 2, 3, 5, 4, 0)
    ours = [t.clone().requires_grad_(i == needed) for i, t in enumerate(tensors)]
    theirs = [t.clone().requires_grad_(i == needed) for i, t in enumerate(tensors)]
    attention.attend(*ours, visible).square().sum().backward()
    plain(*theirs, visible, 0.5).square().sum().backward()
    for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert (one.grad is None) == (i != needed)
        if i == needed:
            torch.testing.assert_close(one.grad, other.grad)


def test_scores_that_would_be_too_large_take_the_fused_path(monkeypatch: Any) -> None:
    *tensors, visible = drawn(2, 4, 2, 3, 5, 4, 1)
    expected = attention.attend(*tensors, visible)
    monkeypatch.setattr(attention, "_MOST_PASSING", 10)
    monkeypatch.setattr(attention.GroupedAttention, "apply", None)  # would fail if it were used
    torch.testing.assert_close(attention.attend(*tensors, visible), expected)
    monkeypatch.setattr(attention, "_MOST_KEPT", 10)
    tensors[0].requires_grad_()
    torch.testing.assert_close(attention.attend(*tensors, visible), expected)


def test_bfloat16_is_as_near_to_the_truth_as_the_fused_path() -> None:
    *tensors, visible = drawn(4, 6, 2, 40, 60, 32, 2)
    truth = plain(*tensors, visible, 32**-0.5)
    low = [t.bfloat16() for t in tensors]
    spread = [t.repeat_interleave(3, 1) for t in low[1:]]
    fused = torch.nn.functional.scaled_dot_product_attention(low[0], *spread, attn_mask=visible)
    ours = attention.attend(*low, visible)
    far = [float((x.double() - truth).norm() / truth.norm()) for x in (ours, fused)]
    assert far[0] < 2.5 * far[1] < 0.05


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_backbones_use_it_unless_they_attend_in_a_way_of_their_own(architecture: str) -> None:
    """gpt-oss has attention sinks and stays with its own implementation."""
    backbone = tiny.backbone(architecture)
    expected = "eager" if architecture == "gpt_oss" else attention.NAME
    assert backbone.config._attn_implementation == expected


def test_what_it_does_not_know_goes_the_library_s_way() -> None:
    *tensors, visible = drawn(1, 4, 2, 3, 5, 4, 3)
    module = SimpleNamespace(num_key_value_groups=2, is_causal=False, training=False)
    additive = torch.zeros(visible.shape, dtype=torch.float64).masked_fill(~visible, -torch.inf)
    ours, _ = attention.attention_forward(module, *tensors, visible, scaling=0.5)
    theirs, _ = attention.attention_forward(module, *tensors, additive, scaling=0.5)
    torch.testing.assert_close(ours, theirs)
    assert ours.shape == (1, 3, 4, 4)
