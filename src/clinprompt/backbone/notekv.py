"""Keys and values of rows that stand behind notes: those of a note are there once.

A note is long and many rows ask it, so its keys are never kept for each of them, and in decoding
the queries of all rows of a note meet them in one matrix product. What rows add, in their texts and
new tokens, is kept by row. Without gradients; layers that don't know `attend` are given copies by
`update`.

Shapes: T notes of S columns at most, B rows, Q new columns, L columns of rows so far with those,
N query heads, M key heads, G = N / M, D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from clinprompt.backbone.keyvalues import CacheProtocol, LayerKV

_PART = 2**21  # scores made at once: they stay in the processor's cache
_MANY = 64  # queries of a row and head from which on rows are taken one by one


class NoteKV(CacheProtocol):
    """Memory of one batch, from its texts to its last new token.

    Args:
        notes: for each layer, keys and values [T, M, S, D].
        lengths: [T] real length of each note.
        rows: [B] index of each row's note.
        room: columns of texts and new tokens together, at most.
        windowed: whether some layer sees less than everything before a query.
        held: for each layer, keys and values [K, M, P, D] that stand in the first columns of rows
            instead of what is computed there; [K] how many of them; [B] which of the K a row has.
    """

    def __init__(
        self,
        notes: Sequence[LayerKV],
        lengths: Tensor,
        rows: Tensor,
        room: int,
        *,
        windowed: bool,
        held: tuple[Sequence[LayerKV], Tensor, Tensor] | None = None,
    ) -> None:
        self.notes, self.room, self.windowed = notes, room, windowed
        self.held = held
        self.lengths: list[int] = lengths.tolist()
        self.filled = 0
        self._own: list[LayerKV] = []
        self._set(rows)

    def _set(self, rows: Tensor) -> None:
        self.rows = rows
        self._members = [
            (note, (rows == note).nonzero()[:, 0]) for note in sorted(set(rows.tolist()))
        ]

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """Keys and values [B, M, S + L, D], notes copied to their rows."""
        pair = []
        for own, notes in zip(
            self._write(keys, values, layer_idx), self.notes[layer_idx], strict=True
        ):
            pair.append(torch.cat([notes.index_select(0, self.rows), own], dim=2))
        return pair[0], pair[1]

    def advance(self, columns: int) -> None:
        """Count the columns just written as filled; call once a pass, after the last layer."""
        self.filled += columns

    def select(self, rows: Tensor) -> None:
        """Keep only these rows (others have ended)."""
        self._own = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self._own]
        self._set(self.rows[rows])

    def attend(
        self, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, layer: int
    ) -> Tensor:
        """Attention of new columns to their notes, to what their rows hold, and to themselves.

        Args:
            query: [B, N, Q, D], scaled already.
            keys: [B, M, Q, D], and `values` alike; they are kept.
            bias: [B, 1, Q, S + L], added to the scores.
            layer: number of the layer.

        Returns:
            [B, N, Q, D].
        """
        own_keys, own_values = self._write(keys, values, layer)
        note_keys, note_values = self.notes[layer]
        out, padded = torch.empty_like(query), note_keys.shape[2]
        for note, rows in self._parts(query.shape[1] * query.shape[2], own_keys.shape[2]):
            length = self.lengths[note]
            far = bias[rows, :, :, :length] if self.windowed else None
            out[rows] = _mixed(
                query[rows],
                (note_keys[note, :, :length], note_values[note, :, :length]),
                (own_keys[rows], own_values[rows]),
                far,
                bias[rows, :, :, padded:],
            )
        return out

    def _write(self, keys: Tensor, values: Tensor, layer: int) -> LayerKV:
        """Keep new keys and values; all that the rows hold, [B, M, L, D]."""
        if layer == len(self._own):
            b, heads, _, d = keys.shape
            room = (b, heads, self.room, d)
            self._own.append((keys.new_empty(room), values.new_empty(room)))
        room_k, room_v = self._own[layer]
        end = self.filled + keys.shape[2]
        room_k[:, :, self.filled : end] = keys
        room_v[:, :, self.filled : end] = values
        if self.held is not None and self.filled == 0:
            layers, lengths, of = self.held
            longest = int(lengths.max())
            theirs = (torch.arange(longest) < lengths[of][:, None])[:, None, :, None]
            for written, given in zip((room_k, room_v), layers[layer], strict=True):
                first = written[:, :, :longest]
                first.copy_(torch.where(theirs, given[of][:, :, :longest], first))
        return room_k[:, :, :end], room_v[:, :, :end]

    def _parts(self, queries: int, own: int) -> Iterator[tuple[int, Tensor | slice]]:
        """Rows of one note each, few enough that their scores fit the processor's cache."""
        for note, members in self._members:
            step = max(1, _PART // (queries * (self.lengths[note] + own)))
            for part in members.split(step):
                first, last = int(part[0]), int(part[-1]) + 1
                # Side by side they need not be gathered.
                yield note, slice(first, last) if last - first == len(part) else part


def _mixed(
    query: Tensor, note: LayerKV, own: LayerKV, far_bias: Tensor | None, near_bias: Tensor
) -> Tensor:
    """Attention of B rows of one note.

    Args:
        query: [B, N, Q, D].
        note: keys and values [M, S, D].
        own: keys and values [B, M, L, D].
        far_bias: [B, 1, Q, S]; None where all of the note is seen.
        near_bias: [B, 1, Q, L].
    """
    b, n, q, d = query.shape
    m = note[0].shape[0]
    grouped = query.reshape(b, m, -1, d)  # [B, M, G Q, D]
    mixed = _by_row if q * n >= _MANY * m else _side_by_side
    return mixed(grouped, note, own, far_bias, near_bias).reshape(b, n, q, d)


def _by_row(
    grouped: Tensor, note: LayerKV, own: LayerKV, far_bias: Tensor | None, near_bias: Tensor
) -> Tensor:
    """Many queries a row: the copy of a note's keys is small beside the scores, and plain matrix
    products of one head are the fastest there are."""
    out, s = torch.empty_like(grouped), note[0].shape[1]
    q = near_bias.shape[2]
    for row, head in product(range(len(grouped)), range(grouped.shape[1])):
        keys, values = (torch.cat([x[head], y[row, head]]) for x, y in zip(note, own, strict=True))
        scores = (grouped[row, head] @ keys.T).view(-1, q, len(keys))
        scores[:, :, s:].add_(near_bias[row])
        if far_bias is not None:
            scores[:, :, :s].add_(far_bias[row])
        out[row, head] = torch.softmax(scores, dim=-1).flatten(0, 1) @ values
    return out


def _side_by_side(
    grouped: Tensor, note: LayerKV, own: LayerKV, far_bias: Tensor | None, near_bias: Tensor
) -> Tensor:
    """Few queries a row, as in decoding: those of all rows meet a note together."""
    b, m, _, d = grouped.shape
    s, q = note[0].shape[1], near_bias.shape[2]
    far = torch.bmm(grouped.transpose(0, 1).reshape(m, -1, d), note[0].transpose(1, 2))
    near = grouped @ own[0].transpose(2, 3)  # [B, M, G Q, L]
    near.view(b, -1, q, near.shape[3]).add_(near_bias)
    if far_bias is not None:
        far.view(m, b, -1, q, s).add_(far_bias.transpose(0, 1)[:, :, None])
    scores = torch.cat([far.view(m, b, -1, s), near.transpose(0, 1)], dim=-1)
    weights = torch.softmax(scores, dim=-1)
    from_note = torch.bmm(weights[..., :s].reshape(m, -1, s), note[1]).view(m, b, -1, d)
    from_own = weights[..., s:].transpose(0, 1) @ own[1]
    return from_note.transpose(0, 1) + from_own
