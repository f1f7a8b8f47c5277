"""The layers of a Llama-like backbone, one after the other.

Shapes: B rows, Q columns, N tokens without padding, H hidden size, A positions that are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from clinprompt.backbone.beside import Beside
from clinprompt.backbone.keyvalues import PrefixKV
from clinprompt.backbone.lean import lowrank
from clinprompt.backbone.lean.attention import Seen, Sharing, additive, attend
from clinprompt.backbone.lean.halves import (
    AttentionHalf,
    FinalNorm,
    Layout,
    MlpHalf,
    Weights,
    project,
)
from clinprompt.backbone.lean.lowrank import Pairs
from clinprompt.backbone.notekv import NoteKV

# Model classes whose layers are written out here; a class that is not named may differ in details.
KNOWN = ("LlamaModel", "MistralModel", "Qwen2Model", "Qwen3Model")
Want = Literal["all", "keys"] | tuple[Tensor, Tensor]


class Lean:
    """A decoder that takes what the library's decoder takes, and gives the same.

    Args:
        decoder: the library's decoder, such as ``LlamaModel``; its weights are shared.
    """

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder
        self.config = decoder.config
        kinds = getattr(self.config, "layer_types", None)
        self.kinds = list(kinds or ["full_attention"] * len(decoder.layers))
        self.layers = [weights_of(layer) for layer in decoder.layers]
        self.norm, self.epsilon = decoder.norm.weight, decoder.norm.variance_epsilon

    @classmethod
    def of(cls, decoder: Any) -> Lean | str:
        """A lean decoder, or why there is none for these layers."""
        name = type(decoder).__name__
        if name not in KNOWN:
            return f"layers of {name} are not known"
        reason = changed(decoder)
        return reason or cls(decoder)

    def run(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor | dict[str, Tensor],
        cache: Any,
        *,
        valid: Tensor | None = None,
        want: Want = "all",
        beside: Beside | None = None,
        numbers: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states.

        Args:
            embeddings: [B, Q, H].
            positions: [B, Q].
            mask: [B, 1, Q, K], or one by kind of layer.
            cache: `PrefixKV`, or without gradients whatever has its ``update``.
            valid: [B, Q] false for padding, which then takes no part outside of attention.
            want: "all" positions; "keys" alone, kept in the cache; or rows and columns [A] of the
                positions that are read.
            beside: updates that rows may have of their own.
            numbers: [B] which of them each row has.

        Returns:
            [B, Q, H], zero where there is padding; [A, H] for positions; for "keys" an empty
            tensor.
        """
        layout, x = self._layout(embeddings, positions, mask, valid, want)
        prefixes = None
        if type(cache) is PrefixKV:
            prefixes = cache.prefix
            if prefixes is not None:
                assert cache.rows is not None
                layout.sharing = Sharing.of(cache.rows, len(prefixes[0][0]), x.dtype)
        own: dict[nn.Module, lowrank.Pair] = {}
        if beside is not None and numbers is not None:
            own = beside.pairs(numbers.index_select(0, layout.row(x.device)))
        for number, weights in enumerate(self.layers):
            last = number == len(self.layers) - 1
            kind = self.kinds[number]
            pairs, mlp_pairs = adapters_of(self.decoder.layers[number], own)
            if type(cache) is PrefixKV:
                before = (None, None) if prefixes is None else prefixes[number]
                low = lowrank.scales(pairs), *lowrank.factors(pairs)
                out, k, v = AttentionHalf.apply(x, *before, weights, layout, kind, last, *low)
                if cache.keep:
                    cache.layers.append((k, v))
            else:
                out = self._step(x, weights, layout, kind, last, cache, number, pairs)
            if out is None:  # keys alone were wanted
                return embeddings.new_empty(0)
            if last and layout.read is not None:
                mlp_pairs = tuple(lowrank.at(pair, layout.read) for pair in mlp_pairs)
            x = MlpHalf.apply(out, weights, lowrank.scales(mlp_pairs), *lowrank.factors(mlp_pairs))
        x = FinalNorm.apply(x, self.norm, self.epsilon)
        if layout.read is not None:
            return x
        if layout.places is not None:
            b, q, h = embeddings.shape
            x = x.new_zeros(b * q, h).index_copy(0, layout.places, x)
        return x.view(embeddings.shape)

    def _step(
        self,
        x: Tensor,
        weights: Weights,
        layout: Layout,
        kind: str,
        last: bool,
        cache: Any,
        number: int,
        pairs: Pairs,
    ) -> Tensor:
        """The attention half with a cache that says itself which keys there are (no gradients)."""
        _, q, k, v, _ = project(x, weights, layout, pairs)
        assert q is not None
        if isinstance(cache, NoteKV):
            mixed = cache.attend(q, k, v, layout.seen[kind].bias, number)
        else:
            keys, values = cache.update(k, v, number)
            mixed, _ = attend(q, keys, values, layout.seen[kind])
        mixed = layout.packed(mixed.transpose(1, 2))
        of_o = pairs[3]
        if last and layout.read is not None:
            mixed, x = mixed.index_select(0, layout.read), x.index_select(0, layout.read)
            of_o = lowrank.at(of_o, layout.read)
        out = nn.functional.linear(mixed, weights.o, weights.biases[3])
        return lowrank.added(out, mixed, of_o).add_(x)

    def _layout(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor | dict[str, Tensor],
        valid: Tensor | None,
        want: Want,
    ) -> tuple[Layout, Tensor]:
        b, q, h = embeddings.shape
        cos, sin = (part[:, :, None] for part in self.decoder.rotary_emb(embeddings, positions))
        scale = self.decoder.layers[0].self_attn.scaling
        masks = mask if isinstance(mask, dict) else dict.fromkeys(self.kinds, mask)
        x, places = embeddings.reshape(b * q, h), None
        if valid is not None and not bool(valid.all()):
            places = valid.reshape(-1).nonzero()[:, 0]
            x = x.index_select(0, places)
        # One mask may serve all kinds: what it lets see is looked up once.
        once = {id(one): Seen(additive(one, embeddings.dtype)) for one in masks.values()}
        seen = {kind: once[id(one)] for kind, one in masks.items()}
        layout = Layout(b, q, places, cos, sin, cos * scale, sin * scale, seen)
        layout.keys_only = isinstance(want, str) and want == "keys"
        if not isinstance(want, str):
            read = want[0] * q + want[1]
            if places is not None:
                order = torch.full((b * q,), -1, device=read.device)
                order[places] = torch.arange(len(places), device=read.device)
                read = order[read]
            layout.read = read
        return layout, x


def changed(decoder: Any, *, adapters: bool = False) -> str | None:
    """Why the layers can't be run from their frozen weights now; None if they can.

    Args:
        adapters: whether plain low-rank adapters may stand beside the weights (`lowrank.pair_of`).
    """
    for layer in decoder.layers:
        attention, mlp = layer.self_attn, layer.mlp
        if type(getattr(mlp, "act_fn", None)).__name__ not in ("SiLU", "SiLUActivation"):
            return "activation is not SiLU"
        of_attention, of_mlp = _projections(layer)
        for given in (*of_attention, *of_mlp):
            module = lowrank.linear(given) if adapters else given
            if type(module) is not nn.Linear:
                return f"a layer's weight is a {type(module).__name__}"
            if module.weight.requires_grad:
                return "weights are trained"
        if any(lowrank.linear(module).bias is not None for module in of_mlp):
            return "the feed-forward layers have biases"
        norms = [layer.input_layernorm, layer.post_attention_layernorm]
        norms += [n for n in (getattr(attention, f"{x}_norm", None) for x in "qk") if n is not None]
        if any(norm.weight.requires_grad for norm in norms):
            return "weights are trained"
    return None


def _projections(layer: Any) -> tuple[list[Any], list[Any]]:
    """Those of a layer's attention, and of its feed-forward half, in the order of `Pairs`."""
    attention, mlp = layer.self_attn, layer.mlp
    return (
        [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj],
        [mlp.gate_proj, mlp.up_proj, mlp.down_proj],
    )


def adapters_of(
    layer: Any, own: Mapping[nn.Module, lowrank.Pair] | None = None
) -> tuple[Pairs, Pairs]:
    """Adapters of a layer's attention, and of its feed-forward half.

    Args:
        own: what stands beside modules, whatever they are.
    """
    attention, mlp = _projections(layer)

    def pair(module: nn.Module) -> lowrank.Pair | None:
        found = None if own is None else own.get(module)
        return lowrank.pair_of(module) if found is None else found

    return tuple(map(pair, attention)), tuple(map(pair, mlp))


def weights_of(layer: Any) -> Weights:
    """A library's layer as its frozen weights."""
    attention, mlp = layer.self_attn, layer.mlp
    norm = layer.input_layernorm
    size = attention.head_dim
    q_norm, k_norm = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
    projections = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
    q, k, v, o = projections
    return Weights(
        heads=q.out_features // size,
        key_heads=k.out_features // size,
        size=size,
        epsilon=norm.variance_epsilon,
        norm=norm.weight,
        q=q.weight,
        k=k.weight,
        v=v.weight,
        o=o.weight,
        biases=(q.bias, k.bias, v.bias, o.bias),
        q_norm=None if q_norm is None else q_norm.weight,
        k_norm=None if k_norm is None else k_norm.weight,
        mlp_norm=layer.post_attention_layernorm.weight,
        gate=mlp.gate_proj.weight,
        up=mlp.up_proj.weight,
        down=mlp.down_proj.weight,
    )
