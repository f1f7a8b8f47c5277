"""Attention for CPUs: grouped matrix products, with the backward pass written out.

torch's fused attention saves memory by going through the scores block by block. On a CPU and with
a mask that costs far more than it saves as long as the scores fit (docs/performance.md): heads that
share keys are one matrix product here, and the scores are kept for the backward pass. Long texts,
and everything else that this module does not know, take torch's own path.

Shapes: B rows, N query heads, M key heads, G = N / M, Q query columns, K key columns, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

NAME = "clinprompt-cpu"

# Scores kept of one layer. Above, memory counts more than speed.
_MOST_KEPT = 2**23
_MOST_PASSING = 2**26  # without gradients nothing is kept


class GroupedAttention(torch.autograd.Function):
    """softmax(q kᵀ · scale + mask) v, for heads in groups that share keys and values."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scale: float
    ) -> Tensor:
        """Query [B, N, Q, D], key and value [B, M, K, D], visible [B, 1, Q, K]: [B, N, Q, D]."""
        b, n, columns, d = query.shape
        m, k = key.shape[1], key.shape[2]
        grouped = (query * scale).reshape(b * m, -1, d)
        keys, values = key.reshape(b * m, k, d), value.reshape(b * m, k, d)
        scores = torch.bmm(grouped, keys.transpose(1, 2))
        if visible is not None:
            each = scores.view(b, n, columns, k)
            each.masked_fill_(~visible, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1)
        ctx.save_for_backward(grouped, keys, values, weights)
        ctx.scale, ctx.shapes = scale, (query.shape, key.shape)
        return torch.bmm(weights, values).view(b, n, columns, d)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of query, key and value; those that nobody needs are left out."""
        grouped, keys, values, weights = ctx.saved_tensors
        query_shape, key_shape = ctx.shapes
        upstream = gradients[0].reshape(grouped.shape)
        need_query, need_key, need_value = ctx.needs_input_grad[:3]
        to_query = to_key = to_value = None
        if need_value:
            to_value = torch.bmm(weights.transpose(1, 2), upstream).view(key_shape)
        if need_query or need_key:
            to_weights = torch.bmm(upstream, values.transpose(1, 2))
            to_scores = torch.ops.aten._softmax_backward_data(
                to_weights, weights, -1, weights.dtype
            )
            if need_query:
                to_query = (torch.bmm(to_scores, keys) * ctx.scale).view(query_shape)
            if need_key:
                to_key = torch.bmm(to_scores.transpose(1, 2), grouped).view(key_shape)
        return to_query, to_key, to_value, None, None


def attend(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scale: float | None = None
) -> Tensor:
    """Attention output [B, N, Q, D]; by torch's fused path where the scores would be too large.

    Args:
        query: [B, N, Q, D].
        key: [B, M, K, D]; N is a multiple of M.
        value: as `key`.
        visible: boolean [B, 1, Q, K], or None where every query sees every key.
        scale: of the scores; None is 1 / sqrt(D).
    """
    b, n, columns, d = query.shape
    count = b * n * columns * key.shape[2]
    needs = torch.is_grad_enabled() and (
        query.requires_grad or key.requires_grad or value.requires_grad
    )
    if count > (_MOST_KEPT if needs else _MOST_PASSING):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, scale=scale, enable_gqa=n != key.shape[1]
        )
    factor = d**-0.5 if scale is None else scale
    found: Tensor = GroupedAttention.apply(query, key, value, visible, factor)
    return found


def attention_forward(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """What a Hugging Face layer calls; the result is [B, Q, N, D].

    A layer that asks for more than a boolean mask and a scale is given torch's path.
    """
    known = (
        attention_mask is not None
        and attention_mask.dtype == torch.bool
        and attention_mask.shape[1] == 1
        and not dropout
        and more.get("softcap") is None
        and more.get("s_aux") is None
        and query.shape[1] % key.shape[1] == 0
        and query.shape[-1] == key.shape[-1] == value.shape[-1]
    )
    if not known:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        found: tuple[Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            **more,
        )
        return found
    return attend(query, key, value, attention_mask, scaling).transpose(1, 2), None


def use_on_cpu(model: Any) -> None:
    """Make a model on a CPU use this module, if it would use torch's fused attention."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    config = model.config.get_text_config()
    if config._attn_implementation != "sdpa" or next(model.parameters()).device.type != "cpu":
        return
    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    for one in {id(c): c for c in (model.config, config)}.values():
        one._attn_implementation = NAME
