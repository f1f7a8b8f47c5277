"""Attention of rows that share prefixes, and its backward pass.

A prefix's keys are joined to the rows' own where they are needed and forgotten again; gradients at
a prefix are summed over its rows by one matrix product, in float32 inside.

Shapes: T prefixes of S columns, B rows of Q columns, N query heads, M key heads, D head size,
K = S + Q keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Numbers of scores kept of one layer; above, the backward pass computes them again by blocks.
MOST_KEPT = 2**23
_PART = 2**21  # scores made at once where none are kept: they stay in the processor's cache


@dataclass(frozen=True)
class Sharing:
    """Which prefix each row sees.

    Attributes:
        rows: [B] index of each row's prefix.
        members: [T, B], one where a row sees a prefix.
    """

    rows: Tensor
    members: Tensor

    @classmethod
    def of(cls, rows: Tensor, prefixes: int, dtype: torch.dtype) -> Sharing:
        """From the rows' indices."""
        return cls(rows, F.one_hot(rows, prefixes).T.to(dtype))

    def join(self, before: Tensor, own: Tensor) -> Tensor:
        """Keys (or values) [T, M, S, D] and [B, M, Q, D] as [B, M, K, D]."""
        length = before.shape[2]
        b, m, q, d = own.shape
        whole = own.new_empty(b, m, length + q, d)
        each = before.expand(b, -1, -1, -1) if len(before) == 1 else before[self.rows]
        whole[:, :, :length] = each
        whole[:, :, length:] = own
        return whole

    def part(self, gradient: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The gradient [B, M, K, D] of what `join` gave, at the prefixes and at the rows' own."""
        before = gradient[:, :, :length]
        summed = self.members.to(gradient.dtype) @ before.reshape(len(gradient), -1)
        return summed.view(-1, *before.shape[1:]), gradient[:, :, length:]


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as what is added to scores; a boolean one is true where a key is seen."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)


def attend(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Attention with queries that are scaled already.

    Args:
        query: [B, N, Q, D].
        keys: [B, M, K, D], and `values` alike.
        bias: [B, 1, Q, K], added to the scores.

    Returns:
        Output [B, N, Q, D], and the weights [B * M, G * Q, K] unless they are too many to keep.
    """
    b, n, q, d = query.shape
    m, k = keys.shape[1], keys.shape[2]
    if b * n * q * k > MOST_KEPT:
        return _in_parts(query, keys, values, bias), None
    scores = torch.bmm(query.reshape(b * m, -1, d), keys.reshape(b * m, k, d).transpose(1, 2))
    scores.view(b, n, q, k).add_(bias)
    weights = torch.softmax(scores, dim=-1)
    return torch.bmm(weights, values.reshape(b * m, k, d)).view(b, n, q, d), weights


def attend_backward(
    upstream: Tensor,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor,
    weights: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend` at query, keys and values."""
    if weights is None:
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x in (query, keys, values)]
            out = _by_blocks(leaves[0], leaves[1], leaves[2], bias)
        found = torch.autograd.grad(out, leaves, upstream)
        return found[0], found[1], found[2]
    b, n, q, d = query.shape
    m, k = keys.shape[1], keys.shape[2]
    given = upstream.reshape(b * m, -1, d)
    to_values = torch.bmm(weights.transpose(1, 2), given).view(b, m, k, d)
    to_weights = torch.bmm(given, values.reshape(b * m, k, d).transpose(1, 2))
    to_scores = torch.ops.aten._softmax_backward_data(to_weights, weights, -1, weights.dtype)
    to_query = torch.bmm(to_scores, keys.reshape(b * m, k, d)).view(b, n, q, d)
    to_keys = torch.bmm(to_scores.transpose(1, 2), query.reshape(b * m, -1, d))
    return to_query, to_keys.view(b, m, k, d), to_values


def _in_parts(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attention some queries at a time: a processor is faster than torch's fused kernel at that."""
    b, n, q, d = query.shape
    m, k = keys.shape[1], keys.shape[2]
    step = max(16, _PART // (b * n * k))
    across, flat = keys.reshape(b * m, k, d).transpose(1, 2), values.reshape(b * m, k, d)
    out = torch.empty_like(query)
    for first in range(0, q, step):
        part = query[:, :, first : first + step]
        scores = torch.bmm(part.reshape(b * m, -1, d), across)
        scores.view(b, n, -1, k).add_(bias[:, :, first : first + step])
        mixed = torch.bmm(torch.softmax(scores, dim=-1), flat)
        out[:, :, first : first + step] = mixed.view(part.shape)
    return out


def _by_blocks(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(
        query, keys, values, attn_mask=bias, scale=1.0, enable_gqa=query.shape[1] != keys.shape[1]
    )
