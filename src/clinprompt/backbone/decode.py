"""Greedy decoding of mixed-task batches behind shared prefixes, in its simplest form.

`backbone.decoding` gives the same tokens and is what answers inputs; this is what it is held to.

Columns lie ``[prefix | text | padding | new tokens]`` in memory; positions and masks are explicit,
so a row gives the same tokens alone and in any batch (up to float rounding; tested in float32).
A row may be held to a constraint, which leaves the other rows as they are.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix, Rows, Soft
from clinprompt.backbone.keyvalues import DecodeKV, PrefixKV
from clinprompt.backbone.masks import visibility
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.notekv import NoteKV


class Constraint(Protocol):
    """What one row may say; it lives as long as the row."""

    def mask(self) -> Tensor | None:
        """[V] on the CPU, true for the tokens that may come next; None if any may."""
        ...

    def advance(self, token: int) -> bool:
        """Take the chosen token.

        Returns:
            False, with nothing changed, where it can't come next after all: then the next best one
            is offered. So a mask may be wider than what is possible.
        """
        ...


@dataclass
class Generated:
    """The new tokens of a row.

    Attributes:
        ids: token ids, with the stop token if one was reached.
        logprobs: for each of them, the natural logarithm of the probability that the backbone
            itself gives it, among all tokens: a constraint changes what is chosen, not this.
        characters: where a stop text ended the row, how many characters of the tokens' text are
            the answer; else None.
    """

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    characters: int | None = None


@torch.no_grad()
def greedy(
    backbone: Backbone,
    before: Prefix,
    inputs: Sequence[Sequence[int]],
    task: Sequence[int],
    *,
    stops: frozenset[int],
    max_new: Sequence[int],
    constraints: Sequence[Constraint | None] | None = None,
    soft: Soft | None = None,
) -> list[Generated]:
    """The most probable next token, again and again, until a stop token.

    Args:
        inputs: B rows of token ids (not empty).
        task: index of each row's prefix.
        stops: ids that end a row; they are part of what is returned.
        max_new: for each row, the most new tokens; a row that reaches it has no stop at its end.
        constraints: for each row, what its tokens are held to, if anything. A row whose constraint
            takes no further token ends there, without a stop; so does one with NaN logits.
        soft: soft prompts that the inputs begin with, in whose columns any ids stand.

    Returns:
        For each row, its new tokens; there may be none at all under a constraint.
    """
    rows = Rows.of(inputs, task, backbone.device)
    rows.soft = soft
    memory: DecodeKV | NoteKV
    shared = engine.note_memory(backbone, before, rows, max(max_new))
    ends = torch.arange(len(inputs), device=backbone.device), rows.lengths - 1
    if shared is not None:
        last = engine.hidden(backbone, before, rows, cache=shared, read=ends)
        shared.advance(rows.ids.shape[1])
        memory = shared
    else:
        cache = PrefixKV(before.layers, rows.task, keep=True)
        last = engine.hidden(backbone, before, rows, cache=cache, read=ends)
        memory = DecodeKV(before.layers, cache.layers, rows.task, max(max_new))
        del cache

    start = before.lengths[rows.task][:, None]
    prefix_columns = torch.arange(before.layers[0][0].shape[2], device=backbone.device)
    text_columns = torch.arange(rows.ids.shape[1], device=backbone.device)
    b = len(inputs)
    positions = torch.cat([prefix_columns.expand(b, -1), start + text_columns], dim=1)
    valid = torch.cat([prefix_columns < start, text_columns < rows.lengths[:, None]], dim=1)
    upcoming = before.lengths[rows.task] + rows.lengths  # [B] position of the next new token

    done = [Generated() for _ in inputs]
    alive = list(range(b))  # which input each remaining row is
    while True:
        chosen = _choose(
            backbone.logits(last), [constraints[row] if constraints else None for row in alive]
        )
        going = []
        for slot, (row, (token, logprob)) in enumerate(zip(alive, chosen, strict=True)):
            if token is None:
                continue
            done[row].ids.append(token)
            done[row].logprobs.append(logprob)
            if token not in stops and len(done[row].ids) < max_new[row] and math.isfinite(logprob):
                going.append(slot)
        if not going:
            return done
        tokens = torch.tensor([chosen[slot][0] for slot in going], device=backbone.device)
        if len(going) < len(alive):
            # Ended rows leave the batch at once: on a CPU their columns cost as much as live ones.
            keep = torch.tensor(going, device=backbone.device)
            memory.select(keep)
            positions, valid, upcoming = positions[keep], valid[keep], upcoming[keep]
            alive = [alive[slot] for slot in going]
        positions = torch.cat([positions, upcoming[:, None]], dim=1)
        valid = torch.cat([valid, torch.ones_like(valid[:, :1])], dim=1)
        visible, distance = visibility(upcoming[:, None], positions, valid)
        embeddings = backbone.embed(tokens[:, None])
        mask = backbone.attention.masks(visible, distance, embeddings.dtype)
        last = backbone.run(embeddings, upcoming[:, None], mask, memory)[:, 0]
        memory.advance(1)
        upcoming = upcoming + 1


def _choose(
    logits: Tensor, constraints: Sequence[Constraint | None]
) -> list[tuple[int | None, float]]:
    """The best token that each row may take, with its log-probability among all tokens.

    Args:
        logits: [B, V]; what constrained rows may not take is overwritten.

    Returns:
        For each row, token and log-probability; None for the token if there is none to take.
    """
    total = logits.float().logsumexp(-1)  # before anything is ruled out
    masked = [(slot, c.mask()) for slot, c in enumerate(constraints) if c is not None]
    held = [(slot, mask) for slot, mask in masked if mask is not None]
    if held:
        slots = torch.tensor([slot for slot, _ in held], device=logits.device)
        allowed = torch.stack([mask for _, mask in held]).to(logits.device)
        logits[slots] = logits[slots].masked_fill(~allowed, -math.inf)
    best, tokens = (found.tolist() for found in logits.max(-1))
    chosen: list[tuple[int | None, float]] = []
    for slot, constraint in enumerate(constraints):
        value, token = best[slot], tokens[slot]
        if constraint is not None:
            while math.isfinite(value) and not constraint.advance(token):
                logits[slot, token] = -math.inf
                token = int(logits[slot].argmax())
                value = float(logits[slot, token])
            if value == -math.inf:
                chosen.append((None, -math.inf))
                continue
        chosen.append((token, value))
    # One transfer for all rows.
    totals = total.tolist()
    return [(token, value - totals[slot]) for slot, (token, value) in enumerate(chosen)]
