"""Long rows go through the backbone in pieces, so that memory grows with what is needed.

In one piece a row of L tokens takes masks and scores of L x L, and a batch is as long as its
longest row. Here the columns go through all layers piece by piece, each piece attending to the
keys and values of those before it, which is exact since attention is causal; and a row that has
ended takes no part in the pieces that follow. With gradients nothing would be saved, since the
whole graph is kept.

Shapes: B rows, S columns of the prefix, L of the longest row, H hidden size, A states read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from clinprompt.backbone.keyvalues import CacheProtocol, LayerKV
from clinprompt.backbone.layout import Layout
from clinprompt.backbone.model import Backbone

# Entries of a mask [b, columns, S + L]: few enough that masks and scores stay small beside keys and
# values, many enough that matrix products are large (docs/performance.md).
_MOST_SEEN = {"cpu": 2**22, "cuda": 2**26}
_FEWEST = 128  # columns of a piece, at least
_MOST_TOKENS = 2**15  # where no mask is written out, what a layer makes of each token counts

Embed = Callable[[Tensor, int, int], Tensor]


class PieceKV(CacheProtocol):
    """Keys and values of a batch whose rows come piece by piece and end one after the other.

    Args:
        prefix: for each layer, keys and values [T, heads, S, D]; None where rows have no prefix.
        rows: [B] index of each row's task in the prefix, the longest rows first.
    """

    def __init__(self, prefix: list[LayerKV] | None, rows: Tensor | None) -> None:
        self.prefix, self.rows = prefix, rows
        self.pieces: list[list[LayerKV]] = []

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> LayerKV:
        """Keys and values [b, heads, S + all columns so far, D] of the b rows still running."""
        if layer_idx == len(self.pieces):
            self.pieces.append([])
        running, pieces = len(keys), self.pieces[layer_idx]
        pieces.append((keys, values))
        joined = []
        for i in (0, 1):
            parts = [piece[i][:running] for piece in pieces]
            if self.prefix is not None:
                assert self.rows is not None
                before = self.prefix[layer_idx][i]
                parts.insert(0, before.index_select(0, self.rows[:running]))
            joined.append(parts[0] if len(parts) == 1 else torch.cat(parts, dim=2))
        return joined[0], joined[1]

    def give(self, order: Tensor, length: int) -> list[LayerKV]:
        """For each layer, keys and values [B, heads, L, D] in the batch's own order; zero where a
        row had ended. The pieces are given up.

        Args:
            order: [B] the row of the batch that each row here is.
            length: L.
        """
        layers = []
        for number, pieces in enumerate(self.pieces):
            pair = []
            for i in (0, 1):
                first = pieces[0][i]
                whole = first.new_zeros(len(order), first.shape[1], length, first.shape[3])
                at = 0
                for piece in pieces:
                    running, _, columns, _ = piece[i].shape
                    whole[order[:running], :, at : at + columns] = piece[i]
                    at += columns
                pair.append(whole)
            self.pieces[number] = []
            layers.append((pair[0], pair[1]))
        return layers


def piece_length(backbone: Backbone, rows: int, keys: int) -> int:
    """Columns that may go through the layers at once.

    Args:
        rows: how many rows.
        keys: S + L, what the last column sees at most.
    """
    if backbone.unwritten:
        return max(_FEWEST, _MOST_TOKENS // rows)
    most = _MOST_SEEN["cuda" if backbone.device.type == "cuda" else "cpu"]
    return max(_FEWEST, most // (rows * keys))


def needed(backbone: Backbone, laid: Layout) -> bool:
    """Whether a batch is too large for one piece, and may be cut."""
    rows, keys = laid.positions.shape
    return not torch.is_grad_enabled() and piece_length(backbone, rows, keys) < laid.length


def run(
    backbone: Backbone,
    embed: Embed,
    laid: Layout,
    prefix: list[LayerKV] | None = None,
    task: Tensor | None = None,
    *,
    read: tuple[Tensor, Tensor] | None = None,
    keep: bool = False,
    changes: Tensor | None = None,
) -> tuple[Tensor, list[LayerKV]]:
    """Last hidden states of rows, and their keys and values; as `Backbone.run` in one piece.

    Args:
        embed: embeddings [b, last - first, H] of rows [b] and columns first to last.
        laid: where the rows stand.
        prefix: what they stand behind: for each layer, keys and values [T, heads, S, D].
        task: [B] index of each row's prefix.
        read: rows and columns [A] of the states that are asked for; None for all.
        keep: whether keys and values are asked for.
        changes: [B] as `Backbone.run` takes them.

    Returns:
        States [A, H], or [B, L, H]; keys and values [B, heads, L, D] of each layer, or nothing.
    """
    positions, valid = laid.own
    counts = valid.sum(1)
    order = counts.argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    lengths = counts[order].tolist()
    memory = PieceKV(prefix, None if task is None else task[order])
    shape = laid.own[0].shape if read is None else read[0].shape
    found = torch.zeros(*shape, backbone.hidden_size, dtype=backbone.dtype, device=order.device)
    first = 0
    while first < lengths[0]:
        running = sum(length > first for length in lengths)
        columns = piece_length(backbone, running, laid.prefix + lengths[0])
        last = min(first + columns, lengths[0])
        here = order[:running]
        arguments = (
            embed(here, first, last),
            positions[here, first:last],
            laid.mask(backbone, first, last, here),
            memory,
        )
        real = valid[here, first:last]
        own = None if changes is None else changes[here]
        if read is None:
            found[here, first:last] = backbone.run(*arguments, valid=real, changes=own)
        else:
            row, column = read
            now = ((column >= first) & (column < last)).nonzero()[:, 0]
            want = place[row[now]], column[now] - first
            found[now] = backbone.run(*arguments, valid=real, want=want, changes=own)
        first = last
    return found, memory.give(order, laid.length) if keep else []
