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
from torch.nn.utils.rnn import pad_sequence

from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix, Rows, Soft
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.option_tree import tree_of
from clinprompt.backbone.transfer import numbers
from clinprompt.errors import ClinpromptError

# Float32 logits made at once when options are scored.
_HEAD_BYTES = {"cpu": 2**26, "cuda": 2**29}


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
    return rows, Targets(*(numbers(x, device) for x in (row, column, token)))


def answer_hidden(backbone: Backbone, before: Prefix, rows: Rows, targets: Targets) -> Tensor:
    """Hidden states that predict the answer tokens: [A, H]."""
    return engine.hidden(backbone, before, rows, read=(targets.row, targets.column))


def token_losses(logits: Tensor, token: Tensor) -> Tensor:
    """Cross-entropy of each answer token, in nats: [A]."""
    return F.cross_entropy(logits, token, reduction="none")


@torch.no_grad()
def score_options(
    backbone: Backbone,
    before: Prefix,
    inputs: Sequence[Sequence[int]],
    options: Sequence[Sequence[Sequence[int]]],
    task: Sequence[int],
    soft: Soft | None = None,
) -> list[Tensor]:
    """Exact log-probabilities of every answer option of every row, in one pass.

    Args and Returns: the sums of `score_continuations`.
    """
    found = score_continuations(backbone, before, inputs, options, task, soft, greedy=False)
    return [sums for sums, _ in found]


@torch.no_grad()
def score_continuations(
    backbone: Backbone,
    before: Prefix,
    inputs: Sequence[Sequence[int]],
    options: Sequence[Sequence[Sequence[int]]],
    task: Sequence[int],
    soft: Soft | None = None,
    *,
    greedy: bool = True,
) -> list[tuple[Tensor, Tensor]]:
    """Exact log-probabilities of continuations, and whether greedy decoding would write them.

    The options of a row stand behind its text as a tree: what several begin with stands once. Each
    token sees prefix, text and what comes before it in its own option, and has the position it
    would have alone, so each score is what a pass of its own would give.

    Args:
        inputs: B rows of token ids (not empty).
        options: for each row, its options' token ids, end token included.
        task: index of each row's prefix.
        soft: soft prompts that the inputs begin with, in whose columns any ids stand.
        greedy: whether the second part of the answer is asked for; it costs a look at all logits.

    Returns:
        For each row, [options] sums of token log-probabilities (natural logarithm), and [options]
        whether each token of an option is the most probable one there (False if not asked for).

    Raises:
        ClinpromptError: CP-BACK-180 an empty input.
    """
    if not all(len(given) for given in inputs):
        raise ClinpromptError(
            "CP-BACK-180",
            "an input without any tokens can't be answered: nothing predicts the first one",
        )
    trees = [tree_of(choices) for choices in options]
    rows = Rows.of(
        [[*given, *tree.ids] for given, tree in zip(inputs, trees, strict=True)],
        task,
        backbone.device,
    )
    length = rows.ids.shape[1]
    until: list[Tensor] = []
    offsets: list[Tensor] = []
    row: list[int] = []
    column: list[int] = []
    parent: list[int] = []
    token: list[int] = []
    for b, (given, tree) in enumerate(zip(inputs, trees, strict=True)):
        end = len(given)
        until.append(torch.tensor([length] * end + [end + node for node in tree.until]))
        offsets.append(torch.tensor([*range(end), *(end + depth for depth in tree.depth)]))
        # The text's last token and all nodes predict something, and they lie side by side.
        parent += [len(row) + 1 + node for node in tree.parent]
        token += tree.token
        row += [b] * (1 + len(tree.ids))
        column += range(end - 1, end + len(tree.ids))
    rows.soft = soft
    rows.until = pad_sequence(until, batch_first=True).to(backbone.device)
    rows.offsets = pad_sequence(offsets, batch_first=True).to(backbone.device)
    at = torch.tensor([row, column], device=backbone.device)
    states = engine.hidden(backbone, before, rows, read=(at[0], at[1]))
    found, best = _log_probabilities(
        backbone, states, torch.tensor(parent), torch.tensor(token), greedy
    )
    sizes = [len(tree.token) for tree in trees]
    scores = []
    for tree, own, first in zip(trees, found.split(sizes), best.split(sizes), strict=True):
        edge = torch.tensor(tree.edge, dtype=torch.long)
        option = torch.tensor(tree.option, dtype=torch.long)
        sums = own.new_zeros(tree.count).index_add(0, option, own[edge])
        missed = own.new_zeros(tree.count).index_add(0, option, (~first[edge]).to(own.dtype))
        scores.append((sums, missed == 0))
    return scores


def option_columns(options: Sequence[Sequence[int]]) -> int:
    """Columns that a row's options take behind its text."""
    return len(tree_of(options).ids)


def _log_probabilities(
    backbone: Backbone, states: Tensor, state: Tensor, token: Tensor, greedy: bool
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of tokens after states, a few states at a time: V numbers each.

    Args:
        states: [R, H].
        state: [E] the state that predicts each token, on the CPU.
        token: [E] the tokens, on the CPU.
        greedy: whether to find out which of them are the most probable ones.

    Returns:
        [E] float64 and [E] whether each is the most probable one, on the CPU.
    """
    found = torch.zeros(len(token), dtype=torch.float64)
    best = torch.zeros(len(token), dtype=torch.bool)
    most = _HEAD_BYTES["cuda" if states.device.type == "cuda" else "cpu"]
    at_once = max(1, most // (4 * backbone.vocabulary))
    for first in range(0, len(states), at_once):
        logits = backbone.logits(states[first : first + at_once])
        total = logits.logsumexp(-1)
        here = ((state >= first) & (state < first + at_once)).nonzero()[:, 0]
        which = (state[here] - first).to(logits.device)
        values = logits[which, token[here].to(logits.device)]
        found[here] = (values - total[which]).double().cpu()
        if greedy:
            best[here] = (values >= logits.amax(-1)[which]).cpu()
    return found, best
