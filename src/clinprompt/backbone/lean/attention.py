"""Attention of rows that share prefixes, and its backward pass.

A prefix's keys are joined to the rows' own where they are needed and forgotten again; gradients at
a prefix are summed over its rows by one matrix product, in float32 inside.

Shapes: T prefixes of S columns, B rows of Q columns, N query heads, M key heads, D head size,
K = S + Q keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Numbers of scores kept of one layer; above, the backward pass computes them again by blocks.
MOST_KEPT = 2**23
_PART = 2**21  # scores made at once where none are kept: they stay in the processor's cache
_CHUNK = 16  # queries whose keys are looked up together


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


class Seen:
    """A bias, and where it lets queries see at all: beyond that nothing is computed.

    Args:
        bias: [B, 1, Q, K], added to the scores.
    """

    def __init__(self, bias: Tensor) -> None:
        self.bias = bias
        self._ends: list[tuple[int, int]] | None = None

    def blocks(self, step: int) -> Iterator[tuple[slice, slice]]:
        """Queries, at most `step` rounded up to 16 at a time, and the keys that any of them sees
        in any row."""
        ends, count = self._spans(), -(-step // _CHUNK)
        for first in range(0, len(ends), count):
            low, high = zip(*ends[first : first + count], strict=True)
            yield (
                slice(first * _CHUNK, (first + count) * _CHUNK),
                slice(min(low), max(high)),
            )

    def _spans(self) -> list[tuple[int, int]]:
        """For each 16 queries the first and the last key (exclusive) that one of them sees."""
        if self._ends is None:
            visible = self.bias.amax((0, 1)) > torch.finfo(self.bias.dtype).min / 2  # [Q, K]
            chunks = F.pad(visible, (0, 0, 0, -len(visible) % _CHUNK)).unflatten(0, (-1, _CHUNK))
            any_sees = chunks.any(1).byte()
            k = any_sees.shape[1]
            low = any_sees.argmax(1).tolist()
            high = (k - any_sees.flip(1).argmax(1)).tolist()
            self._ends = list(zip(low, high, strict=True))
        return self._ends


def attend(query: Tensor, keys: Tensor, values: Tensor, seen: Seen) -> tuple[Tensor, Tensor | None]:
    """Attention with queries that are scaled already.

    Args:
        query: [B, N, Q, D].
        keys: [B, M, K, D], and `values` alike.
        seen: what is added to the scores.

    Returns:
        Output [B, N, Q, D], and the weights [B * M, G * Q, K] unless they are too many to keep.
    """
    b, n, q, d = query.shape
    m, k = keys.shape[1], keys.shape[2]
    if b * n * q * k > MOST_KEPT:
        return _in_parts(query, keys, values, seen), None
    scores = torch.bmm(query.reshape(b * m, -1, d), keys.reshape(b * m, k, d).transpose(1, 2))
    scores.view(b, n, q, k).add_(seen.bias)
    weights = torch.softmax(scores, dim=-1)
    return torch.bmm(weights, values.reshape(b * m, k, d)).view(b, n, q, d), weights


def attend_backward(
    upstream: Tensor,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    seen: Seen,
    weights: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend` at query, keys and values."""
    if weights is None:
        return _backward_in_parts(upstream, query, keys, values, seen)
    b, n, q, d = query.shape
    m, k = keys.shape[1], keys.shape[2]
    flat = query.reshape(b * m, -1, d), keys.reshape(b * m, k, d), values.reshape(b * m, k, d)
    to_query, to_keys, to_values = _differentiated(upstream.reshape(b * m, -1, d), *flat, weights)
    return (
        to_query.view(b, n, q, d),
        to_keys.view(b, m, k, d),
        to_values.view(b, m, k, d),
    )


def _differentiated(
    given: Tensor, query: Tensor, keys: Tensor, values: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients at query [B M, G Q, D], keys and values [B M, K, D]."""
    to_values = torch.bmm(weights.transpose(1, 2), given)
    to_weights = torch.bmm(given, values.transpose(1, 2))
    to_scores = torch.ops.aten._softmax_backward_data(to_weights, weights, -1, weights.dtype)
    to_query = torch.bmm(to_scores, keys)
    return to_query, torch.bmm(to_scores.transpose(1, 2), query), to_values


def _weights_of(part: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    """Weights [B M, G Q', K'] of some queries [B, N, Q', D] on some keys [B M, K', D]."""
    b, n, q, d = part.shape
    scores = torch.bmm(part.reshape(len(keys), -1, d), keys.transpose(1, 2))
    scores.view(b, n, q, -1).add_(bias)
    return torch.softmax(scores, dim=-1)


def _step(query: Tensor, keys: Tensor) -> int:
    b, n = query.shape[:2]
    return max(_CHUNK, _PART // (b * n * keys.shape[2]))


def _in_parts(query: Tensor, keys: Tensor, values: Tensor, seen: Seen) -> Tensor:
    """Attention some queries at a time, each on the keys that it may see: a processor is faster
    than torch's fused kernel at that."""
    flat_k, flat_v = keys.flatten(0, 1), values.flatten(0, 1)
    out = torch.empty_like(query)
    for rows, columns in seen.blocks(_step(query, keys)):
        part = query[:, :, rows]
        weights = _weights_of(part, flat_k[:, columns], seen.bias[:, :, rows, columns])
        out[:, :, rows] = torch.bmm(weights, flat_v[:, columns]).view(part.shape)
    return out


def _backward_in_parts(
    upstream: Tensor, query: Tensor, keys: Tensor, values: Tensor, seen: Seen
) -> tuple[Tensor, Tensor, Tensor]:
    """The same blocks again: their weights are computed anew, and gradients at keys and values are
    added up in float32."""
    flat_k, flat_v = keys.flatten(0, 1), values.flatten(0, 1)
    to_query = torch.empty_like(query)
    wide = torch.float64 if keys.dtype == torch.float64 else torch.float32
    to_keys, to_values = (torch.zeros(flat_k.shape, dtype=wide) for _ in range(2))
    for rows, columns in seen.blocks(_step(query, keys)):
        part, given = query[:, :, rows], upstream[:, :, rows]
        some_k, some_v = flat_k[:, columns], flat_v[:, columns]
        weights = _weights_of(part, some_k, seen.bias[:, :, rows, columns])
        lined = part.reshape(len(flat_k), -1, part.shape[3])
        found = _differentiated(given.reshape(lined.shape), lined, some_k, some_v, weights)
        to_query[:, :, rows] = found[0].view(part.shape)
        to_keys[:, columns] += found[1]
        to_values[:, columns] += found[2]
    return (
        to_query,
        to_keys.to(keys.dtype).view(keys.shape),
        to_values.to(values.dtype).view(values.shape),
    )
