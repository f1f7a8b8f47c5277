"""Keys and values of a frozen backbone, in the two shapes the engine needs.

Both classes stand in for a Hugging Face cache: a layer calls ``update`` with its new keys and
values [B, heads, Q, D] and attends to what comes back. Neither ever truncates: sliding windows are
the mask's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

LayerKV = tuple[Tensor, Tensor]


class CacheProtocol:
    """What models ask of a cache besides `update`."""

    is_compileable = False

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """None that a model should count: positions are given explicitly."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Of the masks that a model would make if it were given none."""
        return query_length, 0


class PrefixKV(CacheProtocol):
    """Rows attend to the keys and values of their task's prefix, gathered layer by layer.

    Args:
        prefix: for each layer, keys and values [T, heads, S, D]; None where rows have no prefix.
        rows: [B] index of each row's task in the prefix.
        keep: whether the rows' own keys and values are kept in `layers`.
    """

    def __init__(
        self,
        prefix: Sequence[LayerKV] | None = None,
        rows: Tensor | None = None,
        *,
        keep: bool = False,
    ) -> None:
        self.prefix, self.rows, self.keep = prefix, rows, keep
        self.layers: list[LayerKV] = []

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """Keys and values [B, heads, S + Q, D] for the layer to attend to."""
        if self.keep:
            self.layers.append((keys, values))
        if self.prefix is None:
            return keys, values
        assert self.rows is not None
        before_k, before_v = self.prefix[layer_idx]
        return (
            torch.cat([before_k.index_select(0, self.rows), keys], dim=2),
            torch.cat([before_v.index_select(0, self.rows), values], dim=2),
        )


class DecodeKV(CacheProtocol):
    """Preallocated keys and values for decoding: columns [prefix | text | new tokens].

    Args:
        prefix: for each layer, keys and values [T, heads, S, D].
        text: for each layer, keys and values [B, heads, L, D].
        rows: [B] index of each row's task.
        extra: room for this many new tokens.
    """

    def __init__(
        self, prefix: Sequence[LayerKV], text: Sequence[LayerKV], rows: Tensor, extra: int
    ) -> None:
        self.layers: list[LayerKV] = []
        self.filled = prefix[0][0].shape[2] + text[0][0].shape[2]
        for before, after in zip(prefix, text, strict=True):
            pair = []
            for old, new in zip(before, after, strict=True):
                b, heads, _, d = new.shape
                room = new.new_empty(b, heads, self.filled + extra, d)
                room[:, :, : old.shape[2]] = old.index_select(0, rows)
                room[:, :, old.shape[2] : self.filled] = new
                pair.append(room)
            self.layers.append((pair[0], pair[1]))

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """Write one step's keys and values and return all columns up to them."""
        room_k, room_v = self.layers[layer_idx]
        end = self.filled + keys.shape[2]
        room_k[:, :, self.filled : end] = keys
        room_v[:, :, self.filled : end] = values
        return room_k[:, :, :end], room_v[:, :, :end]

    def advance(self, columns: int = 1) -> None:
        """Count the columns just written as filled; call once a step, after the last layer."""
        self.filled += columns

    def select(self, rows: Tensor) -> None:
        """Keep only these rows (others have ended)."""
        self.layers = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.layers]
