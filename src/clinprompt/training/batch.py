"""One step's rows: split into micro-batches, losses and gradients.

Shapes: T tasks of the step, B rows of a micro-batch, A its answer tokens, H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinprompt.backbone import answers, engine
from clinprompt.backbone.answers import Targets
from clinprompt.backbone.engine import Prefix, Rows
from clinprompt.backbone.model import Backbone
from clinprompt.training.data import TokenRow
from clinprompt.training.objective import hidden_error, kl_divergence

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


def token_weights(items: Sequence[Item]) -> dict[int, float]:
    """Weight of one answer token of each task: tasks count equally, whatever their lengths."""
    counts: dict[int, int] = {}
    for item in items:
        counts[item.slot] = counts.get(item.slot, 0) + len(item.row.answer)
    return {slot: 1 / (count * len(counts)) for slot, count in counts.items()}


def run_step(
    backbone: Backbone,
    before: Prefix,
    items: Sequence[Item],
    *,
    microbatch_tokens: int,
    distillation: Distillation | None = None,
    teachers: Prefix | None = None,
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
    cost = StepCost(examples=len(items), prompt=int(before.lengths.sum()))
    for batch in microbatches(items, microbatch_tokens):
        rows, targets = padded(backbone, batch)
        weight = torch.tensor(
            [weights[item.slot] for item in batch for _ in item.row.answer], device=backbone.device
        )
        states = answers.answer_hidden(backbone, leaves, rows, targets)
        logits = backbone.logits(states)
        loss = answers.token_losses(logits, targets)
        cost.cross_entropy += float((loss.detach() * weight).sum())
        if distillation is not None:
            with torch.no_grad():
                if cached is not None:
                    theirs = torch.cat([cached[item.slot, item.row.id] for item in batch])
                    theirs = theirs.to(backbone.device)
                else:
                    assert teachers is not None
                    theirs = answers.answer_hidden(backbone, teachers, rows, targets)
                their_logits = backbone.logits(theirs)
            terms = kl_divergence(logits, their_logits, distillation.temperature)
            terms = terms + hidden_error(states, theirs)
            loss = loss + distillation.weight * terms
        total = (loss * weight).sum()
        total.backward()
        cost.loss += float(total.detach())
        real = sum(item.row.length for item in batch)
        cost.text += real
        cost.padding += rows.ids.numel() - real
    before.backward(leaves)
    return cost


@torch.no_grad()
def row_losses(
    backbone: Backbone, before: Prefix, items: Sequence[Item], *, microbatch_tokens: int
) -> dict[int, float]:
    """Mean cross-entropy per answer token of each slot, in nats, without gradients."""
    total: dict[int, float] = {}
    count: dict[int, int] = {}
    for batch in microbatches(items, microbatch_tokens):
        rows, targets = padded(backbone, batch)
        states = answers.answer_hidden(backbone, before, rows, targets)
        losses = answers.token_losses(backbone.logits(states), targets).double().cpu()
        at = 0
        for item in batch:
            n = len(item.row.answer)
            total[item.slot] = total.get(item.slot, 0.0) + float(losses[at : at + n].sum())
            count[item.slot] = count.get(item.slot, 0) + n
            at += n
    return {slot: total[slot] / count[slot] for slot in total}


def prefix_of(backbone: Backbone, prompts: Tensor | None, fixed: Sequence[Sequence[int]]) -> Prefix:
    """Prefixes of T tasks from [T, P, H] prompts (None: bare instructions)."""
    soft: Sequence[Tensor | None] = [None] * len(fixed) if prompts is None else list(prompts)
    return engine.prefix(backbone, soft, fixed)
