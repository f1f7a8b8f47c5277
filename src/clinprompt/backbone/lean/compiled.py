"""The layers of a Llama-like backbone on CUDA: plain operations that torch compiles.

`decoder.Lean` writes each backward pass out, which saves memory and passes over it on a CPU. On
CUDA the compiler does that by itself for what lies between two matrix products, so here a layer is
said in plain operations: one compiled function up to attention, one after it, and FlexAttention in
between. Tokens are packed (`packed.Packing`): no padding, every prefix once, and a length that is a
whole number of blocks, so that few different lengths occur.

Not compiled, the same code runs anywhere; tests compare it with `Lean` and the library's layers.

Shapes: N packed tokens, H hidden size, n query heads, m key heads, D head size, A read positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone.flex import attend
from clinprompt.backbone.keyvalues import PrefixKV
from clinprompt.backbone.lean.decoder import KNOWN, Want, changed, weights_of
from clinprompt.backbone.lean.elementwise import accurate
from clinprompt.backbone.lean.halves import Weights
from clinprompt.backbone.masks import Attention
from clinprompt.backbone.packed import PackedKV, packed
from clinprompt.backbone.sight import Unwritten, filled

_FEW = 16  # read positions are padded to a multiple: lengths 0 and 1 are compiled for themselves

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Zhang and Sennrich, 2019 (arXiv 1910.07467), equation 4, over the last dimension."""
    wide = x.to(accurate(x.dtype))
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
    return (wide * scale).to(x.dtype) * weight


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def _heads(x: Tensor, size: int, norm: Tensor | None, epsilon: float) -> Tensor:
    """[N, heads * D] as [N, heads, D], each normed if the layer does that."""
    split = x.unflatten(1, (-1, size))
    return split if norm is None else rms_norm(split, norm, epsilon)


def keys_values(x: Tensor, cos: Tensor, sin: Tensor, w: Weights) -> tuple[Tensor, Tensor]:
    """Keys and values [1, m, N, D] of packed tokens [N, H]; cos and sin are [N, 1, D]."""
    normed = rms_norm(x, w.norm, w.epsilon)
    k = _heads(F.linear(normed, w.k, w.biases[1]), w.size, w.k_norm, w.epsilon)
    v = _heads(F.linear(normed, w.v, w.biases[2]), w.size, None, w.epsilon)
    return _rotated(k, cos, sin).transpose(0, 1)[None], v.transpose(0, 1)[None]


def before_attention(
    x: Tensor, cos: Tensor, sin: Tensor, w: Weights
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [1, n, N, D], and `keys_values`."""
    q = F.linear(rms_norm(x, w.norm, w.epsilon), w.q, w.biases[0])
    q = _rotated(_heads(q, w.size, w.q_norm, w.epsilon), cos, sin)
    return q.transpose(0, 1)[None], *keys_values(x, cos, sin, w)


def after_attention(x: Tensor, mixed: Tensor, w: Weights) -> Tensor:
    """The rest of a layer: x [N, H] before it and what attention gave [N, n, D], to [N, H]."""
    x = x + F.linear(mixed.flatten(1), w.o, w.biases[3])
    normed = rms_norm(x, w.mlp_norm, w.epsilon)
    return x + F.linear(F.silu(F.linear(normed, w.gate)) * F.linear(normed, w.up), w.down)


def torch_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """By torch's compiler, in one piece; the number of tokens may change from call to call."""
    compiled: Callable[..., Any] = torch.compile(function, fullgraph=True)

    def call(x: Tensor, *rest: Any) -> Any:
        for tensor in (x, *rest):
            if isinstance(tensor, Tensor) and tensor.dim() > 1:  # the others are weights
                torch._dynamo.maybe_mark_dynamic(tensor, 0)
        return compiled(x, *rest)

    return call


class Compiled:
    """A decoder that gives what the library's decoder gives, for batches with unwritten masks.

    Args:
        decoder: the library's decoder, such as ``LlamaModel``; its weights are shared.
        attention: how its layers attend.
        compiler: what is done with each function; None leaves them as they are.
    """

    def __init__(
        self, decoder: Any, attention: Attention, compiler: Compiler | None = torch_compiled
    ) -> None:
        self.decoder, self.attention = decoder, attention
        kinds = getattr(decoder.config, "layer_types", None)
        self.kinds = list(kinds or ["full_attention"] * len(decoder.layers))
        self.layers = [weights_of(layer) for layer in decoder.layers]
        self.scale = float(decoder.layers[0].self_attn.scaling)
        compiler = compiler or (lambda function: function)
        self._keys, self._before = compiler(keys_values), compiler(before_attention)
        self._after, self._norm = compiler(after_attention), compiler(rms_norm)

    @classmethod
    def of(
        cls, decoder: Any, attention: Attention, compiler: Compiler | None = torch_compiled
    ) -> Compiled | str:
        """A compiled decoder, or why there is none for these layers."""
        name = type(decoder).__name__
        if name not in KNOWN:
            return f"layers of {name} are not known"
        return changed(decoder) or cls(decoder, attention, compiler)

    def run(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Unwritten,
        cache: PrefixKV,
        *,
        valid: Tensor | None = None,
        want: Want = "all",
    ) -> Tensor:
        """Last hidden states; as `Lean.run`, with a mask that is not written out.

        `positions` and `valid` are those of the mask and not read.
        """
        packing = packed(mask, cache)
        masks = packing.sight.masks(self.attention.window, self.attention.mixed)
        memory = PackedKV(cache, packing)
        x = packing.pack(embeddings)
        cos, sin = (
            part[0, :, None] for part in self.decoder.rotary_emb(x[None], packing.positions)
        )
        read, some = None, 0
        if isinstance(want, tuple):
            some = len(want[0])
            read = filled(packing.read(want), some + -some % _FEW, 0)
        for number, weights in enumerate(self.layers):
            last = number == len(self.layers) - 1
            if last and isinstance(want, str) and want == "keys":
                memory.update(*self._keys(x, cos, sin, weights), number)
                return embeddings.new_empty(0)
            q, k, v = self._before(x, cos, sin, weights)
            keys, values = memory.update(k, v, number)
            blocks = masks[self.kinds[number]] if isinstance(masks, dict) else masks
            mixed = attend(q, keys, values, blocks, self.scale)
            mixed = mixed[0].transpose(0, 1)
            if last and read is not None:
                mixed, x = mixed.index_select(0, read), x.index_select(0, read)
            x = self._after(x, mixed, weights)
        x = self._norm(x, self.decoder.norm.weight, self.decoder.norm.variance_epsilon)
        return packing.unpack(x) if read is None else x[:some]
