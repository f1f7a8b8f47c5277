"""Prompts of keys and values as tokens give them: where such prompts begin.

Shapes: P positions, N layers, G key heads, D size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clinprompt.backbone.engine import prefix
from clinprompt.backbone.model import Backbone


@torch.no_grad()
def keyvalues(backbone: Backbone, ids: Sequence[int]) -> Tensor:
    """Keys and values that tokens have in all layers, at positions 0, 1, ...: [P, W], float32.

    W = 2 N G D: layer by layer the keys and then the values of all heads. Keys are rotated.
    """
    found = prefix(backbone, [None], [ids])
    parts = [x[0].transpose(0, 1).flatten(1) for pair in found.layers for x in pair]
    return torch.cat(parts, dim=1).float()


def keyvalue_spread(backbone: Backbone, deep: Tensor) -> Tensor:
    """Standard deviation of keys, and of values, of each layer over prompts [..., P, W]: [W].

    Rounded to a power of two: to divide and multiply by it changes no bit.
    """
    _, heads, size = backbone.keyvalue_shape
    parts = deep.float().unflatten(-1, (-1, heads * size))
    spread = parts.flatten(0, -3).transpose(0, 1).flatten(1).std(1).clamp_min(1e-6)
    return torch.exp2(spread.log2().round()).repeat_interleave(heads * size)
