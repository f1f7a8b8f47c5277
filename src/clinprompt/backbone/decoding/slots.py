"""Keys and values of the rows that are being decoded: one block of memory, a slot a row.

A row's keys lie in its slot in the order of their positions and without gaps: prefix, text, new
tokens. So a key's column is its position, and who sees whom is one comparison. Rows of any lengths
stand side by side, and slots are kept dense: the live rows are always the first ones, and what is
computed is theirs alone.

Shapes: N slots, C columns, D head size; n rows of a pass, Q query columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from clinprompt.backbone.engine import Prefix
from clinprompt.backbone.keyvalues import CacheProtocol, LayerKV
from clinprompt.backbone.masks import Distance

# Columns that a pass reads are rounded up to these: kernels are prepared for a shape, and a new
# shape every step costs more than some columns that no one sees.
ROUND = 32


class SlotKV(CacheProtocol):
    """A cache of N slots of C columns, for a Hugging Face model to write and read.

    Memory is taken once and cut anew into slots when there are no rows in it. Unused columns are
    finite numbers at any time: a hidden column has weight 0, and 0 times NaN would be NaN.

    Args:
        like: keys and values of the backbone, for their shapes, float type and device.
    """

    def __init__(self, like: Prefix) -> None:
        self._like = [(k[:0, :, :0], v[:0, :, :0]) for k, v in like.layers]
        self._memory: list[LayerKV] = []
        self._layers: list[LayerKV] = []
        self._size = 0
        self.slots = self.columns = 0
        self._begin = self._end = self._seen = 0
        self._real: Tensor | None = None
        self._places: dict[int, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where the memory is."""
        return self._like[0][0].device

    def cut(self, slots: int, columns: int) -> None:
        """Cut the memory into slots; what lay in them is lost. More memory is taken if needed."""
        columns = -(-columns // ROUND) * ROUND
        if slots * columns > self._size:
            self._size = slots * columns
            self._memory, self._layers = [], []  # given back before more is taken
            self._memory = [
                (
                    k.new_zeros(self._size * k.shape[1] * k.shape[3]),
                    v.new_zeros(self._size * v.shape[1] * v.shape[3]),
                )
                for k, v in self._like
            ]
        self.slots, self.columns = slots, columns
        self._layers = [
            (_cut(memory[0], like[0], slots, columns), _cut(memory[1], like[1], slots, columns))
            for memory, like in zip(self._memory, self._like, strict=True)
        ]

    def place(self, begin: int, end: int, before: Prefix, task: int) -> None:
        """Write a prefix into the first columns of slots `begin` to `end`."""
        length = int(before.lengths[task])
        for layer, prefix in zip(self._layers, before.layers, strict=True):
            for room, values in zip(layer, prefix, strict=True):
                room[begin:end, :, :length] = values[task : task + 1, :, :length]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy a row with so many columns into another slot."""
        for layer in self._layers:
            for room in layer:
                room[target, :, :length] = room[source, :, :length]

    def clear(self, slot: int) -> None:
        """Forget a row that may hold NaN."""
        for layer in self._layers:
            for room in layer:
                room[slot] = 0

    def aim(
        self, begin: int, end: int, columns: Tensor, real: Tensor | None, seen: int
    ) -> tuple[Tensor, Distance]:
        """Say where the next pass writes and what it reads.

        Args:
            begin, end: its slots.
            columns: [n, Q] where each query's key goes.
            real: [n, Q] False for padding, which is not written; None if there is none.
            seen: columns that are read; it is rounded up.

        Returns:
            Which of the K columns that are read each query sees [n, Q, K], and the distances for
            `Attention.masks`.
        """
        self._begin, self._end = begin, end
        self._seen = min(self.columns, -(-seen // ROUND) * ROUND)
        slot = torch.arange(begin, end, device=columns.device)[:, None]
        self._rows = columns if real is None else columns[real]
        self._slots = slot.expand_as(columns) if real is None else slot.expand_as(columns)[real]
        self._real, self._places = real, {}
        keys = torch.arange(self._seen, device=columns.device)
        return keys <= columns[:, :, None], Distance(columns, keys[None])

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """Write new keys and values [n, heads, Q, D]; return all columns of the pass's slots."""
        room_k, room_v = self._layers[layer_idx]
        _write(room_k, keys, self._place(room_k.shape[1]), self._real)
        _write(room_v, values, self._place(room_v.shape[1]), self._real)
        return (
            room_k[self._begin : self._end, :, : self._seen],
            room_v[self._begin : self._end, :, : self._seen],
        )

    def _place(self, heads: int) -> Tensor:
        """Indices of written vectors in a layer's memory, in the order [n, Q, heads]."""
        if heads not in self._places:
            head = torch.arange(heads, device=self._rows.device)
            flat = (self._slots[..., None] * heads + head) * self.columns + self._rows[..., None]
            self._places[heads] = flat.flatten()
        return self._places[heads]


def _cut(memory: Tensor, like: Tensor, slots: int, columns: int) -> Tensor:
    heads, size = like.shape[1], like.shape[3]
    return memory[: slots * heads * columns * size].view(slots, heads, columns, size)


def _write(room: Tensor, new: Tensor, places: Tensor, real: Tensor | None) -> None:
    new = new.transpose(1, 2)  # [n, Q, heads, D], as layers compute it
    vectors = new if real is None else new[real]
    room.view(-1, room.shape[-1]).index_copy_(0, places, vectors.reshape(-1, room.shape[-1]))


def runs(items: Sequence[object]) -> list[tuple[int, int]]:
    """Begin and end of each run of identical neighbours."""
    starts = [i for i in range(len(items)) if i == 0 or items[i] != items[i - 1]]
    return list(zip(starts, [*starts[1:], len(items)], strict=True))
