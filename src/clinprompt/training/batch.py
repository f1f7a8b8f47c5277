"""One step's rows: split into micro-batches, losses and gradients.

Shapes: T tasks of the step, B rows of a micro-batch, A its answer tokens, H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinprompt.backbone import answers, engine
from clinprompt.backbone.after import Behind, Notes
from clinprompt.backbone.answers import Targets
from clinprompt.backbone.engine import Prefix, Rows
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Placement
from clinprompt.backbone.transfer import moved
from clinprompt.training.data import TokenRow
from clinprompt.training.objective import hidden_error, kl_divergence

_HEAD_TOKENS = 512  # answer tokens whose logits exist at once
_SMALL = 384  # padded tokens below which a micro-batch leaves a processor idle


@dataclass(frozen=True)
class Item:
    """A row of a step and its task's place among the step's tasks."""

    row: TokenRow
    slot: int


@dataclass(frozen=True)
class Distillation:
    """What the teachers ask for.

    Attributes:
        weight: lambda in front of both terms.
        temperature: of the KL term.
    """

    weight: float
    temperature: float


@dataclass
class StepCost:
    """What a step cost and reached, for progress.

    Attributes:
        loss: mean over the step's tasks of the total loss per answer token, in nats.
        cross_entropy: the same of the task loss alone.
        examples, text, prompt, padding: rows, and tokens by kind.
    """

    loss: float = 0.0
    cross_entropy: float = 0.0
    examples: int = 0
    text: int = 0
    prompt: int = 0
    padding: int = 0


def microbatches(items: Sequence[Item], tokens: int) -> list[list[Item]]:
    """Rows of similar length together, at most `tokens` padded tokens each (or a single row).

    A row under three quarters of the longest begins a new micro-batch, so that little is padded,
    unless the batch is still too small to keep the processor busy.
    """
    ordered = sorted(items, key=lambda item: (-item.row.length, item.slot, item.row.id))
    batches: list[list[Item]] = []
    for item in ordered:
        longest = batches[-1][0].row.length if batches else 0
        padded = longest * len(batches[-1]) if batches else 0
        alike = 4 * item.row.length >= 3 * longest or padded < _SMALL
        if batches and alike and padded + longest <= tokens:
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def padded(backbone: Backbone, batch: Sequence[Item]) -> tuple[Rows, Targets]:
    """A micro-batch as the engine reads it, with its answer tokens."""
    return answers.with_answers(
        [item.row.input for item in batch],
        [item.row.answer for item in batch],
        [item.slot for item in batch],
        backbone.device,
    )


def states_of(
    backbone: Backbone, before: Prefix | Behind, batch: Sequence[Item]
) -> tuple[Tensor, Rows, Targets]:
    """Hidden states [A, H] that predict the answers of a micro-batch, its rows and targets."""
    if isinstance(before, Behind):
        prefix, rows, targets = before.rows(
            [item.row.parts for item in batch],
            [item.row.answer for item in batch],
            [item.slot for item in batch],
        )
    else:
        prefix = before
        rows, targets = padded(backbone, batch)
    return answers.answer_hidden(backbone, prefix, rows, targets), rows, targets


def prompt_tokens(before: Prefix | Behind, items: Sequence[Item]) -> int:
    """Tokens of prompts and instructions that a step reads: once a task, or once a row."""
    if isinstance(before, Behind):
        lengths = before.lengths.tolist()
        return sum(lengths[item.slot] for item in items)
    return int(before.lengths.sum()) if before.tokens is None else before.tokens


def token_weights(items: Sequence[Item]) -> dict[int, float]:
    """Weight of one answer token of each task: tasks count equally, whatever their lengths."""
    counts: dict[int, int] = {}
    for item in items:
        counts[item.slot] = counts.get(item.slot, 0) + len(item.row.answer)
    return {slot: 1 / (count * len(counts)) for slot, count in counts.items()}


def run_step(
    backbone: Backbone,
    before: Prefix | Behind,
    items: Sequence[Item],
    *,
    microbatch_tokens: int,
    distillation: Distillation | None = None,
    teachers: Prefix | Behind | None = None,
    cached: dict[tuple[int, str], Tensor] | None = None,
) -> StepCost:
    """Losses of a step's rows; gradients go into whatever `before` was computed from.

    The prefix is differentiated once, after all micro-batches: their gradients at its keys and
    values are added up first, which is exact by linearity.

    Args:
        before: prefixes of the step's T tasks, with their graph.
        distillation: adds the teachers' terms.
        teachers: the teachers' prefixes of the same T tasks, without graph.
        cached: the teachers' hidden states [answer tokens, H] by (slot, row id), instead.
    """
    weights = token_weights(items)
    leaves = before.detached()
    cost = StepCost(examples=len(items), prompt=prompt_tokens(before, items))
    # Read once at the end: a GPU would have to finish all its work at each look.
    sums = torch.zeros(2, dtype=torch.float64, device=backbone.device)
    for batch in microbatches(items, microbatch_tokens):
        each = [weights[item.slot] for item in batch for _ in item.row.answer]
        weight = moved(torch.tensor(each), backbone.device)
        states, rows, targets = states_of(backbone, leaves, batch)
        theirs = None
        if distillation is not None:
            with torch.no_grad():
                if cached is not None:
                    kept = torch.cat([cached[item.slot, item.row.id] for item in batch])
                    theirs = moved(kept, backbone.device)
                else:
                    assert teachers is not None
                    theirs, _, _ = states_of(backbone, teachers, batch)
        sums += _differentiate_states(backbone, states, targets.token, weight, theirs, distillation)
        # A note is no work of the step: it may have been read long ago.
        cost.text += sum(item.row.length - item.row.shared for item in batch)
        real = int(rows.lengths.sum()) if rows.tokens is None else rows.tokens
        cost.padding += rows.ids.numel() - real
    _differentiate(before, leaves)
    cost.loss, cost.cross_entropy = sums.tolist()
    return cost


def _differentiate_states(
    backbone: Backbone,
    states: Tensor,
    token: Tensor,
    weight: Tensor,
    theirs: Tensor | None,
    distillation: Distillation | None,
) -> Tensor:
    """Losses of a micro-batch's answer tokens, differentiated.

    The output head takes a few tokens at a time: logits of a large vocabulary would take more
    memory than all layers together. Their gradients are collected at the states first.

    Args:
        states: [A, H] with their graph.
        token: [A].
        weight: [A].
        theirs: the teachers' states [A, H].

    Returns:
        [2] the total loss and the cross-entropy, without graph.
    """
    leaf = states.detach().requires_grad_()
    sums = torch.zeros(2, dtype=torch.float64, device=states.device)
    for first in range(0, len(states), _HEAD_TOKENS):
        part = slice(first, first + _HEAD_TOKENS)
        logits = backbone.logits(leaf[part])
        loss = cross_entropy = answers.token_losses(logits, token[part])
        if distillation is not None and theirs is not None:
            with torch.no_grad():
                their_logits = backbone.logits(theirs[part])
            terms = kl_divergence(logits, their_logits, distillation.temperature)
            terms = terms + hidden_error(leaf[part], theirs[part])
            loss = loss + distillation.weight * terms
        total = (loss * weight[part]).sum()
        total.backward()
        sums[0] += total.detach()
        sums[1] += (cross_entropy.detach() * weight[part]).sum()
    if states.requires_grad:
        states.backward(leaf.grad)
    return sums


def _differentiate(before: Prefix | Behind, leaves: Prefix | Behind) -> None:
    """Differentiate what stands in front of the rows, once, with the gradients of its leaves."""
    if isinstance(before, Behind) and isinstance(leaves, Behind):  # noqa: SIM114 - other type
        before.backward(leaves)
    elif isinstance(before, Prefix) and isinstance(leaves, Prefix):
        before.backward(leaves)


@torch.no_grad()
def row_losses(
    backbone: Backbone, before: Prefix | Behind, items: Sequence[Item], *, microbatch_tokens: int
) -> dict[int, float]:
    """Mean cross-entropy per answer token of each slot, in nats, without gradients."""
    total: dict[int, float] = {}
    count: dict[int, int] = {}
    for batch in microbatches(items, microbatch_tokens):
        states, _, targets = states_of(backbone, before, batch)
        losses = answers.token_losses(backbone.logits(states), targets.token).double().cpu()
        at = 0
        for item in batch:
            n = len(item.row.answer)
            total[item.slot] = total.get(item.slot, 0.0) + float(losses[at : at + n].sum())
            count[item.slot] = count.get(item.slot, 0) + n
            at += n
    return {slot: total[slot] / count[slot] for slot in total}


def prefix_of(
    backbone: Backbone,
    prompts: Tensor | None,
    fixed: Sequence[Sequence[int]],
    notes: Notes | None = None,
) -> Prefix | Behind:
    """What a step's rows stand behind, of T tasks' prompts [T, P, H] (None: bare instructions).

    Args:
        notes: given where the prompts stand after the text; encodes what they stand behind.
    """
    if notes is not None:
        return Behind(notes, prompts, fixed)
    soft: Sequence[Tensor | None] = [None] * len(fixed) if prompts is None else list(prompts)
    return engine.prefix(backbone, soft, fixed)


def notes_for(backbone: Backbone, placement: Placement, most_mb: int) -> Notes | None:
    """What encodes notes and keeps them between steps; None where prompts stand before the text."""
    if placement == "before":
        return None
    return Notes(backbone, most_mb * 10**6, keep="first")
