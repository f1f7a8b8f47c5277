"""A batch as one packed row of all its tokens: no padding, and no prefix twice.

Keys lie ``[prefix 0 | prefix 1 | ... | tokens]``: every prefix once, however many rows stand behind
it. Who sees whom is `sight.Sight`'s affair, so rows can't tell that they share a row.

Shapes: T prefixes of S columns, B rows of Q columns, N tokens rounded up to whole blocks, K keys,
M key heads, D head size, H hidden size, A positions that are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clinprompt.backbone.keyvalues import CacheProtocol, LayerKV, PrefixKV
from clinprompt.backbone.masks import Attention
from clinprompt.backbone.sight import NOBODY, PADDING, Branches, Sight, Unwritten, filled, rounded


@dataclass(frozen=True)
class Packing:
    """Where each token of a padded batch goes.

    Attributes:
        shape: B and Q.
        count: tokens that are no padding; they come first.
        places: [N] which of the B * Q slots each packed token comes from.
        positions: [1, N].
        room: columns that the prefixes take among the keys, rounded up to whole blocks.
        sight: who sees whom, [1, N] queries and [1, K] keys.
    """

    shape: tuple[int, int]
    count: int
    places: Tensor
    positions: Tensor
    room: int
    sight: Sight

    @classmethod
    def of(cls, seen: Unwritten, group: Tensor | None, prefixes: int) -> Packing:
        """Pack a batch; the device is not waited for if `seen.tokens` is known.

        Args:
            seen: the padded batch. What stands in front of the queries' own columns is the same
                for all rows of a prefix, and does not branch.
            group: [B] index of each row's prefix; None without prefixes.
            prefixes: T.
        """
        b, q = seen.query.shape
        s, device = seen.before, seen.query.device
        own = seen.valid[:, s:]
        count = int(own.sum()) if seen.tokens is None else seen.tokens
        total = rounded(count)
        by = torch.arange(b, device=device) if group is None else group
        # Rows of a prefix lie side by side, so that few blocks see several prefixes. Padding last.
        rank = torch.where(own, by[:, None], max(b, prefixes)).flatten()
        order = filled(torch.argsort(rank, stable=True)[:total], total, 0)
        real = torch.arange(total, device=device) < count
        places = torch.where(real, order, 0)
        row = places // q

        def told(values: Tensor, otherwise: int) -> Tensor:
            return torch.where(real, values, otherwise).int()

        owner = told(prefixes + row, PADDING)
        task = owner if group is None else told(group[row], PADDING)
        position = told(seen.query.flatten()[places], 0)
        room = rounded(prefixes * s)
        known = seen.valid.new_zeros(prefixes, s)
        where = seen.key.new_zeros(prefixes, s)
        if group is not None:  # rows of one prefix write the same
            known[group], where[group] = seen.valid[:, :s], seen.key[:, :s]
        prefix = torch.arange(prefixes, device=device)[:, None]
        before = filled(torch.where(known, prefix, NOBODY).flatten(), room, NOBODY).int()
        stand = filled(where.flatten(), room, 0).int()
        branches = None
        if seen.until is not None:
            column = told(places % q, 0)
            until = told(seen.until[:, s:].flatten()[places] - s, q)
            first = torch.zeros_like(before)
            branches = Branches(
                column[None],
                torch.cat([first, column])[None],
                torch.cat([first + q, until])[None],
            )
        sight = Sight(
            position[None],
            owner[None],
            task[None],
            torch.cat([stand, position])[None],
            torch.cat([before, owner])[None],
            branches,
        )
        return cls((b, q), count, places, position[None].long(), room, sight)

    def pack(self, slots: Tensor) -> Tensor:
        """[B, Q, H] as [N, H]."""
        return slots.reshape(-1, slots.shape[-1]).index_select(0, self.places)

    def unpack(self, packed: Tensor) -> Tensor:
        """[N, ...] as [B, Q, ...], zero where there is padding."""
        b, q = self.shape
        slots = packed.new_zeros(b * q, *packed.shape[1:])
        slots = slots.index_copy(0, self.places[: self.count], packed[: self.count])
        return slots.view(b, q, *packed.shape[1:])

    def read(self, want: tuple[Tensor, Tensor]) -> Tensor:
        """[A] which packed tokens rows and columns [A] are."""
        b, q = self.shape
        order = torch.zeros(b * q, dtype=torch.long, device=self.places.device)
        order[self.places[: self.count]] = torch.arange(self.count, device=self.places.device)
        return order[want[0] * q + want[1]]


class PackedKV(CacheProtocol):
    """Stands in for a cache: packed keys behind those of all prefixes.

    Args:
        cache: prefixes and, if it keeps them, where the rows' own keys and values go.
        packing: of the batch.
    """

    def __init__(self, cache: PrefixKV, packing: Packing) -> None:
        self.cache, self.packing = cache, packing

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """From [1, M, N, D], keys and values [1, M, K, D] for the layer to attend to."""
        if self.cache.keep:
            self.cache.layers.append((self._lined_up(keys), self._lined_up(values)))
        if self.cache.prefix is None:
            return keys, values
        before_k, before_v = self.cache.prefix[layer_idx]
        return self._join(before_k, keys), self._join(before_v, values)

    def _join(self, before: Tensor, own: Tensor) -> Tensor:
        t, m, s, d = before.shape
        flat = before.transpose(0, 1).reshape(1, m, t * s, d)
        gap = own.new_zeros(1, m, self.packing.room - t * s, d)
        return torch.cat([flat, gap, own], dim=2)

    def _lined_up(self, packed: Tensor) -> Tensor:
        """[1, M, N, D] as [B, M, Q, D]."""
        return self.packing.unpack(packed[0].transpose(0, 1)).transpose(1, 2)


def packed(seen: Unwritten, cache: PrefixKV) -> Packing:
    """The packing of a batch behind the prefixes of its cache."""
    prefixes = 0 if cache.prefix is None else len(cache.prefix[0][0])
    return Packing.of(seen, None if cache.prefix is None else cache.rows, prefixes)


def run(
    decoder: Any,
    attention: Attention,
    embeddings: Tensor,
    seen: Unwritten,
    cache: PrefixKV,
    want: str | tuple[Tensor, Tensor],
) -> Tensor:
    """Last hidden states of a padded batch by the library's decoder, which sees one packed row.

    Args:
        decoder: a library's decoder whose attention is `flex.attention_forward`.
        attention: how its layers attend.
        embeddings: [B, Q, H].
        seen: who sees whom.
        cache: prefixes; keys and values are kept there if it keeps them.
        want: as `Backbone.run` takes it.

    Returns:
        [B, Q, H]; [A, H] for positions; for "keys" an empty tensor.
    """
    packing = packed(seen, cache)
    states: Tensor = decoder(
        inputs_embeds=packing.pack(embeddings)[None],
        attention_mask=packing.sight.masks(attention.window, attention.mixed),
        position_ids=packing.positions,
        past_key_values=PackedKV(cache, packing),
        use_cache=True,
    ).last_hidden_state[0]
    if isinstance(want, tuple):
        return states.index_select(0, packing.read(want))
    return packing.unpack(states) if want == "all" else states[:0]
