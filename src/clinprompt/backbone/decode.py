"""Greedy decoding of mixed-task batches behind shared prefixes.

Columns lie ``[prefix | text | padding | new tokens]`` in memory; positions and masks are explicit,
so a row gives the same tokens alone and in any batch (up to float rounding; tested in float32).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix, Rows
from clinprompt.backbone.keyvalues import DecodeKV, PrefixKV
from clinprompt.backbone.masks import visibility
from clinprompt.backbone.model import Backbone


@torch.no_grad()
def greedy(
    backbone: Backbone,
    before: Prefix,
    inputs: Sequence[Sequence[int]],
    task: Sequence[int],
    *,
    stops: frozenset[int],
    max_new: Sequence[int],
) -> list[list[int]]:
    """The most probable next token, again and again, until a stop token.

    Args:
        inputs: B rows of token ids (not empty).
        task: index of each row's prefix.
        stops: ids that end a row; they are part of what is returned.
        max_new: for each row, the most new tokens; a row that reaches it has no stop at its end.

    Returns:
        For each row, its new token ids.
    """
    rows = Rows.of(inputs, task, backbone.device)
    cache = PrefixKV(before.layers, rows.task, keep=True)
    states = engine.hidden(backbone, before, rows, cache=cache)
    last = states[torch.arange(len(inputs), device=states.device), rows.lengths - 1]
    memory = DecodeKV(before.layers, cache.layers, rows.task, max(max_new))
    del cache, states

    start = before.lengths[rows.task][:, None]
    prefix_columns = torch.arange(before.layers[0][0].shape[2], device=backbone.device)
    text_columns = torch.arange(rows.ids.shape[1], device=backbone.device)
    b = len(inputs)
    positions = torch.cat([prefix_columns.expand(b, -1), start + text_columns], dim=1)
    valid = torch.cat([prefix_columns < start, text_columns < rows.lengths[:, None]], dim=1)
    upcoming = before.lengths[rows.task] + rows.lengths  # [B] position of the next new token

    done: list[list[int]] = [[] for _ in inputs]
    alive = list(range(b))  # which input each remaining row is
    while True:
        tokens = backbone.logits(last).argmax(-1)
        going = []
        for slot, (row, token) in enumerate(zip(alive, tokens.tolist(), strict=True)):
            done[row].append(token)
            if token not in stops and len(done[row]) < max_new[row]:
                going.append(slot)
        if not going:
            return done
        if len(going) < len(alive):
            # Ended rows leave the batch at once: on a CPU their columns cost as much as live ones.
            keep = torch.tensor(going, device=backbone.device)
            memory.select(keep)
            positions, valid, upcoming = positions[keep], valid[keep], upcoming[keep]
            tokens = tokens[keep]
            alive = [alive[slot] for slot in going]
        positions = torch.cat([positions, upcoming[:, None]], dim=1)
        valid = torch.cat([valid, torch.ones_like(valid[:, :1])], dim=1)
        visible, distance = visibility(upcoming[:, None], positions, valid)
        embeddings = backbone.embed(tokens[:, None])
        mask = backbone.attention.masks(visible, distance, embeddings.dtype)
        last = backbone.run(embeddings, upcoming[:, None], mask, memory)[:, 0]
        memory.advance()
        upcoming = upcoming + 1
