"""Low-rank adapters beside frozen weights: ``W x + scale B A x``, with the gradients at A and B
(LoRA, Hu et al., ICLR 2022).

The product with A and B is taken in their own float type, as PEFT does.

Shapes: N tokens, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Pair:
    """A [R, in] and B [out, R] of one layer.

    The scale is a number; or [N, R] where tokens have adapters of their own (`backbone.beside`).
    """

    a: Tensor
    b: Tensor
    scale: float | Tensor


Pairs = tuple[Pair | None, ...]


def linear(module: Any) -> Any:
    """The frozen layer of a projection, which may stand within an adapter."""
    return module if pair_of(module) is None else module.base_layer


def pair_of(module: Any) -> Pair | None:
    """The adapter of a layer of PEFT's, in its plain form and at work; None of any other module.

    Plain is one adapter, neither merged nor disabled, without dropout, bias or variant.
    """
    if type(module) is nn.Linear or not hasattr(module, "lora_A"):
        return None
    if type(module.base_layer) is not nn.Linear:
        return None
    active = list(module.active_adapters)
    if module.disable_adapters or module.merged or active != list(module.lora_A):
        return None
    name = active[0]
    first, second = module.lora_A[name], module.lora_B[name]
    plain = (
        type(first) is type(second) is nn.Linear
        and first.bias is None
        and second.bias is None
        and type(module.lora_dropout[name]) is nn.Identity
        and name not in module.lora_variant
    )
    return Pair(first.weight, second.weight, float(module.scaling[name])) if plain else None


def factors(pairs: Pairs) -> tuple[Tensor | None, ...]:
    """A and B of each, one after the other, as an autograd function takes them."""
    return tuple(t for pair in pairs for t in ((None, None) if pair is None else (pair.a, pair.b)))


def pairs_of(given: Sequence[Tensor | None], scales: Sequence[float | Tensor]) -> Pairs:
    """The same again, of what an autograd function has kept."""
    found = zip(given[::2], given[1::2], scales, strict=True)
    return tuple(None if a is None or b is None else Pair(a, b, scale) for a, b, scale in found)


def scales(pairs: Pairs) -> tuple[float | Tensor, ...]:
    """Of each; 0 where there is none."""
    return tuple(0.0 if pair is None else pair.scale for pair in pairs)


def at(pair: Pair | None, places: Tensor) -> Pair | None:
    """The adapter for some of the tokens [A] alone."""
    if pair is None or not isinstance(pair.scale, Tensor):
        return pair
    return Pair(pair.a, pair.b, pair.scale.index_select(0, places))


def added(out: Tensor, x: Tensor, pair: Pair | None) -> Tensor:
    """What a layer gives of x [N, in], with its adapter: `out` [N, out] is overwritten."""
    if pair is None:
        return out
    return out.add_((x.to(pair.a.dtype) @ pair.a.T).mul_(pair.scale) @ pair.b.T)


def added_backward(total: Tensor, upstream: Tensor, pair: Pair | None) -> Tensor:
    """The gradient at x with the adapter's part: `total` [N, in] is overwritten."""
    if pair is None:
        return total
    return total.add_((upstream.to(pair.b.dtype) @ pair.b).mul_(pair.scale) @ pair.a)


def gradients(
    upstream: Tensor | None, x: Tensor | None, pair: Pair | None
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients at A and B, of what comes back [N, out] to a layer that was given x [N, in]."""
    if pair is None or upstream is None or x is None:
        return None, None
    g, given = upstream.to(pair.b.dtype), x.to(pair.a.dtype)
    to_a = torch.mm((g @ pair.b).mul_(pair.scale).T, given)
    to_b = torch.mm(g.T, (given @ pair.a.T).mul_(pair.scale))
    return to_a, to_b
