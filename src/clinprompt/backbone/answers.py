"""What is read off the hidden states: answer losses in training, label scores at inference.

Only answer positions ever go through the output head.
Shapes: B rows, L columns, H hidden, A answer tokens of all rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix, Rows
from clinprompt.backbone.model import Backbone


@dataclass
class Targets:
    """Answer tokens of a batch and where they are predicted.

    Attributes:
        row: [A] row of each answer token.
        column: [A] column whose hidden state predicts it.
        token: [A] the token.
    """

    row: Tensor
    column: Tensor
    token: Tensor


def with_answers(
    inputs: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    task: Sequence[int],
    device: torch.device,
) -> tuple[Rows, Targets]:
    """A batch of rows ``input answer`` with its targets. Inputs may not be empty."""
    rows = Rows.of(
        # The last answer token is only predicted, never read.
        [[*i, *a[:-1]] for i, a in zip(inputs, answers, strict=True)],
        task,
        device,
    )
    row = [b for b, answer in enumerate(answers) for _ in answer]
    column = [
        len(given) - 1 + k
        for given, answer in zip(inputs, answers, strict=True)
        for k in range(len(answer))
    ]
    token = [t for answer in answers for t in answer]
    return rows, Targets(*(torch.tensor(x, device=device) for x in (row, column, token)))


def answer_hidden(backbone: Backbone, before: Prefix, rows: Rows, targets: Targets) -> Tensor:
    """Hidden states that predict the answer tokens: [A, H]."""
    return engine.hidden(backbone, before, rows)[targets.row, targets.column]


def token_losses(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy of each answer token, in nats: [A]."""
    return F.cross_entropy(logits, targets.token, reduction="none")


@torch.no_grad()
def score_options(
    backbone: Backbone,
    before: Prefix,
    inputs: Sequence[Sequence[int]],
    options: Sequence[Sequence[Sequence[int]]],
    task: Sequence[int],
) -> list[Tensor]:
    """Exact log-probabilities of every answer option of every row, in one pass.

    The options of a row stand behind its text side by side; each sees the text and itself only and
    has the positions it would have alone, so each score is what a pass of its own would give.

    Args:
        inputs: B rows of token ids.
        options: for each row, its options' token ids, end token included.
        task: index of each row's prefix.

    Returns:
        For each row, [options] sums of token log-probabilities (natural logarithm).
    """
    rows_ids, segments, offsets = [], [], []
    reads: list[tuple[int, int, int, int]] = []  # row, column, token, option
    for b, (given, choices) in enumerate(zip(inputs, options, strict=True)):
        ids, segment, offset = list(given), [0] * len(given), list(range(len(given)))
        for number, option in enumerate(choices):
            reads.append((b, len(given) - 1, option[0], number))
            for k, token in enumerate(option[1:]):
                reads.append((b, len(ids) + k, token, number))
            body = option[:-1]
            ids += body
            segment += [number + 1] * len(body)
            offset += range(len(given), len(given) + len(body))
        rows_ids.append(ids)
        segments.append(segment)
        offsets.append(offset)
    rows = Rows.of(rows_ids, task, backbone.device)
    rows.segments = _pad(segments, backbone.device)
    rows.offsets = _pad(offsets, backbone.device)
    states = engine.hidden(backbone, before, rows)
    found_at = torch.tensor(reads, device=states.device)  # [N, 4]
    scores = [torch.zeros(len(choices), dtype=torch.float64) for choices in options]
    for part in found_at.split(1024):
        row, column, token, number = part.unbind(1)
        logits = backbone.logits(states[row, column])
        found = -F.cross_entropy(logits, token, reduction="none").double().cpu()
        for value, b, n in zip(found, row.tolist(), number.tolist(), strict=True):
            scores[b][n] += value
    return scores


def _pad(values: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(v) for v in values], batch_first=True).to(
        device
    )
