"""The two halves of a layer with frozen weights, each with its backward pass written out.

No weight gets a gradient, so a product with a weight keeps nothing for the backward pass. Kept are
a half's input, rotated queries, keys and values, attention weights, gate and up: less than half of
what the layers keep when every operation looks after itself. Low-rank adapters beside the weights
may be trained (`lowrank`); what they were given is computed again.

Shapes: N tokens (packed: no padding among them), B rows of Q columns, H hidden size, T prefixes of
S columns, M key heads, D head size, A tokens that are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone.lean import lowrank
from clinprompt.backbone.lean.attention import Seen, Sharing, attend, attend_backward
from clinprompt.backbone.lean.elementwise import (
    gate_backward,
    rms_norm,
    rms_norm_backward,
    rotate,
    rotate_backward,
)
from clinprompt.backbone.lean.lowrank import Pairs

ATTENTION: Pairs = (None,) * 4  # no adapters of queries, keys, values, output
MLP: Pairs = (None,) * 3  # nor of gate, up, down


@dataclass(frozen=True)
class Weights:
    """One layer's frozen weights, as `torch.nn.functional.linear` takes them."""

    heads: int
    key_heads: int
    size: int
    epsilon: float
    norm: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    o: Tensor
    biases: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]
    q_norm: Tensor | None
    k_norm: Tensor | None
    mlp_norm: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor


@dataclass
class Layout:
    """Where packed tokens stand, and what they may see.

    Attributes:
        rows, columns: B and Q.
        places: [N] place of each token among B * Q slots; None where no slot is empty.
        cos, sin: [B, Q, 1, D] rotary positions.
        scaled_cos, scaled_sin: the same, times the scale of the scores (for queries).
        seen: by kind of layer, what is added to the scores.
        sharing: which prefix each row sees; None without prefixes.
        read: [A] which of the N tokens the last layer's second half is computed for; None: all.
        keys_only: whether only keys and values of the last layer are wanted.
    """

    rows: int
    columns: int
    places: Tensor | None
    cos: Tensor
    sin: Tensor
    scaled_cos: Tensor
    scaled_sin: Tensor
    seen: dict[str, Seen] = field(default_factory=dict)
    sharing: Sharing | None = None
    read: Tensor | None = None
    keys_only: bool = False

    def row(self, device: torch.device) -> Tensor:
        """[N] row of each packed token."""
        slots = self.places
        if slots is None:
            slots = torch.arange(self.rows * self.columns, device=device)
        return slots // self.columns

    def lined_up(self, packed: Tensor, heads: int) -> Tensor:
        """Packed [N, heads * D] as [B, Q, heads, D], zero in empty slots."""
        if self.places is not None:
            slots = packed.new_zeros(self.rows * self.columns, packed.shape[1])
            packed = slots.index_copy_(0, self.places, packed)
        return packed.view(self.rows, self.columns, heads, -1)

    def packed(self, lined_up: Tensor) -> Tensor:
        """[B, Q, heads, D] as packed [N, heads * D]."""
        flat = lined_up.reshape(self.rows * self.columns, -1)
        return flat if self.places is None else flat.index_select(0, self.places)


def project(
    x: Tensor, weights: Weights, layout: Layout, pairs: Pairs = ATTENTION, *, queries: bool = True
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, list[Tensor | None]]:
    """Norm, projections and rotation of one layer.

    Returns:
        The norm's scale, queries [B, N, Q, D] (None if not wanted), keys and values [B, M, Q, D],
        and what the norms of queries and keys keep for the backward pass.
    """
    normed, scale = rms_norm(x, weights.norm, weights.epsilon)
    kept: list[Tensor | None] = [None, None, None, None]

    def projected(weight: Tensor, place: int, heads: int) -> Tensor:
        out = F.linear(normed, weight, weights.biases[place])
        return layout.lined_up(lowrank.added(out, normed, pairs[place]), heads)

    q = None
    if queries:
        q = projected(weights.q, 0, weights.heads)
        if weights.q_norm is not None:
            kept[0] = q
            q, kept[1] = rms_norm(q, weights.q_norm, weights.epsilon)
        q = rotate(q, layout.scaled_cos, layout.scaled_sin)
    k = projected(weights.k, 1, weights.key_heads)
    if weights.k_norm is not None:
        kept[2] = k
        k, kept[3] = rms_norm(k, weights.k_norm, weights.epsilon)
    v = projected(weights.v, 2, weights.key_heads)
    keys = rotate(k, layout.cos, layout.sin)
    return scale, q, keys, v.transpose(1, 2).contiguous(), kept


def project_backward(
    to_q: Tensor | None,
    to_k: Tensor | None,
    to_v: Tensor | None,
    x: Tensor,
    scale: Tensor,
    kept: tuple[Tensor | None, ...],
    weights: Weights,
    layout: Layout,
    pairs: Pairs = ATTENTION,
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradient of `project` at x [N, H], None if nothing is asked of it; and at the adapters'
    factors of queries, keys and values."""
    came: list[Tensor | None] = [None, None, None]  # at what the projections gave [N, out]
    if to_q is not None:
        g = rotate_backward(to_q, layout.scaled_cos, layout.scaled_sin)
        if weights.q_norm is not None:
            assert kept[0] is not None
            assert kept[1] is not None
            g = rms_norm_backward(g, kept[0], weights.q_norm, kept[1])
        came[0] = layout.packed(g)
    if to_k is not None:
        g = rotate_backward(to_k, layout.cos, layout.sin)
        if weights.k_norm is not None:
            assert kept[2] is not None
            assert kept[3] is not None
            g = rms_norm_backward(g, kept[2], weights.k_norm, kept[3])
        came[1] = layout.packed(g)
    if to_v is not None:
        came[2] = layout.packed(to_v.transpose(1, 2))
    total: Tensor | None = None
    for upstream, weight, pair in zip(came, (weights.q, weights.k, weights.v), pairs, strict=False):
        if upstream is not None:
            total = upstream @ weight if total is None else total.addmm_(upstream, weight)
            total = lowrank.added_backward(total, upstream, pair)
    normed = None
    if any(pair is not None for pair in pairs[:3]):
        normed = rms_norm(x, weights.norm, weights.epsilon)[0]
    learned = [
        part
        for upstream, pair in zip(came, pairs, strict=False)
        for part in lowrank.gradients(upstream, normed, pair)
    ]
    return None if total is None else rms_norm_backward(total, x, weights.norm, scale), learned


class AttentionHalf(torch.autograd.Function):
    """``x + o(attention(norm(x)))`` and the layer's own keys and values."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        prefix_k: Tensor | None,
        prefix_v: Tensor | None,
        weights: Weights,
        layout: Layout,
        kind: str,
        last: bool,
        scales: tuple[float | Tensor, ...],
        *factors: Tensor | None,
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Packed x [N, H], prefix [T, M, S, D], adapters' `lowrank.factors` of queries, keys,
        values and output: x after attention ([A, H] in the last layer if only some tokens are
        read), keys and values [B, M, Q, D]."""
        ctx.set_materialize_grads(False)
        keys_only = last and layout.keys_only
        pairs = lowrank.pairs_of(factors, scales)
        scale, q, k, v, kept = project(x, weights, layout, pairs, queries=not keys_only)
        attention: Tensor | None = None
        out: Tensor | None = None
        to_output: Tensor | None = None
        if q is not None:
            keys, values = k, v
            if prefix_k is not None and prefix_v is not None:
                assert layout.sharing is not None
                keys = layout.sharing.join(prefix_k, k)
                values = layout.sharing.join(prefix_v, v)
            mixed, attention = attend(q, keys, values, layout.seen[kind])
            mixed, base, of_o = layout.packed(mixed.transpose(1, 2)), x, pairs[3]
            if last and layout.read is not None:
                mixed, base = mixed.index_select(0, layout.read), x.index_select(0, layout.read)
                of_o = lowrank.at(of_o, layout.read)
            out = F.linear(mixed, weights.o, weights.biases[3])
            out = lowrank.added(out, mixed, of_o).add_(base)
            to_output = None if pairs[3] is None else mixed
        ctx.save_for_backward(
            x, scale, q, k, v, attention, prefix_k, prefix_v, to_output, *kept, *factors
        )
        ctx.constants = weights, layout, kind, last, scales
        return out, k, v

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Gradients at x, at the prefix and at the adapters' factors."""
        upstream, to_k, to_v = gradients
        x, scale, q, k, v, attention, prefix_k, prefix_v, to_output, *more = ctx.saved_tensors
        weights, layout, kind, last, scales = ctx.constants
        kept, pairs = tuple(more[:4]), lowrank.pairs_of(more[4:], scales)
        to_q = before_k = before_v = to_x = None
        of_output: tuple[Tensor | None, Tensor | None] = None, None
        if upstream is not None:
            of_o = pairs[3]
            if last and layout.read is not None:
                of_o = lowrank.at(of_o, layout.read)
            of_output = lowrank.gradients(upstream, to_output, of_o)
            back = lowrank.added_backward(upstream @ weights.o, upstream, of_o)
            to_x = upstream
            if last and layout.read is not None:
                back = _spread(back, layout.read, len(x))
                to_x = _spread(upstream, layout.read, len(x))
            back = layout.lined_up(back, weights.heads).transpose(1, 2)
            keys, values = k, v
            if prefix_k is not None:
                keys = layout.sharing.join(prefix_k, k)
                values = layout.sharing.join(prefix_v, v)
            to_q, to_keys, to_values = attend_backward(
                back, q, keys, values, layout.seen[kind], attention
            )
            if prefix_k is not None:
                before_k, to_keys = layout.sharing.part(to_keys, prefix_k.shape[2])
                before_v, to_values = layout.sharing.part(to_values, prefix_k.shape[2])
            to_k = to_keys if to_k is None else to_k + to_keys
            to_v = to_values if to_v is None else to_v + to_values
        none = None, None, None, None, None
        if not ctx.needs_input_grad[0] and all(pair is None for pair in pairs[:3]):
            return None, before_k, before_v, *none, *(None,) * 6, *of_output
        inner, learned = project_backward(to_q, to_k, to_v, x, scale, kept, weights, layout, pairs)
        if inner is not None:
            to_x = inner if to_x is None else inner.add_(to_x)
        return to_x, before_k, before_v, *none, *learned, *of_output


def _spread(values: Tensor, places: Tensor, count: int) -> Tensor:
    """[A, H] as [count, H], zero elsewhere; a place may be named more than once."""
    return values.new_zeros(count, values.shape[1]).index_add_(0, places, values)


class MlpHalf(torch.autograd.Function):
    """``x + down(silu(gate(norm(x))) * up(norm(x)))``."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weights: Weights,
        scales: tuple[float | Tensor, ...],
        *factors: Tensor | None,
    ) -> Tensor:
        """Packed x [N, H] and adapters' `lowrank.factors` of gate, up and down, to [N, H]."""
        normed, scale = rms_norm(x, weights.mlp_norm, weights.epsilon)
        pairs = lowrank.pairs_of(factors, scales)
        gate = lowrank.added(normed @ weights.gate.T, normed, pairs[0])
        up = lowrank.added(normed @ weights.up.T, normed, pairs[1])
        ctx.save_for_backward(x, scale, gate, up, *factors)
        ctx.constants = weights, scales
        inner = F.silu(gate).mul_(up)
        return lowrank.added(torch.addmm(x, inner, weights.down.T), inner, pairs[2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients at x and at the adapters' factors."""
        (upstream,) = gradients
        x, scale, gate, up, *factors = ctx.saved_tensors
        weights, scales = ctx.constants
        pairs = lowrank.pairs_of(factors, scales)
        inner = None if pairs[2] is None else F.silu(gate).mul_(up)
        of_down = lowrank.gradients(upstream, inner, pairs[2])
        back = lowrank.added_backward(upstream @ weights.down, upstream, pairs[2])
        to_gate, to_up = gate_backward(back, gate, up)
        total = (to_gate @ weights.gate).addmm_(to_up, weights.up)
        total = lowrank.added_backward(total, to_gate, pairs[0])
        total = lowrank.added_backward(total, to_up, pairs[1])
        normed = None
        if pairs[0] is not None or pairs[1] is not None:
            normed = rms_norm(x, weights.mlp_norm, weights.epsilon)[0]
        of_gate = lowrank.gradients(to_gate, normed, pairs[0])
        of_up = lowrank.gradients(to_up, normed, pairs[1])
        to_x = rms_norm_backward(total, x, weights.mlp_norm, scale).add_(upstream)
        return to_x, None, None, *of_gate, *of_up, *of_down


class FinalNorm(torch.autograd.Function):
    """The norm behind the last layer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        """[..., H] to [..., H]."""
        normed, scale = rms_norm(x, weight, epsilon)
        ctx.save_for_backward(x, weight, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient at x."""
        x, weight, scale = ctx.saved_tensors
        return rms_norm_backward(gradients[0].clone(), x, weight, scale), None, None
