"""The next token of every row: the most probable one, or one that is drawn.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from clinprompt.backbone.decode import Constraint
from clinprompt.errors import ClinpromptError

_FEW = 256  # candidates that are looked at before a whole vocabulary is sorted

Chosen = tuple[int | None, float]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn.

    Logits are divided by the temperature; of what is left under a constraint only the `top_k` best
    are candidates; of these, only the smallest number of best ones whose probabilities add up to
    `top_p`; one is drawn by its share.

    Attributes:
        temperature: above 0; 1 draws as the backbone says, less is nearer to the best token.
        top_k: None for all.
        top_p: above 0, at most 1; 1 for all.

    Raises:
        ClinpromptError: CP-BACK-100 the temperature, CP-BACK-101 top_k or CP-BACK-102 top_p is out
            of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ClinpromptError(
                "CP-BACK-100",
                f"a temperature of {self.temperature} can't be drawn with",
                hint="take one above 0; without any, the most probable token is taken",
            )
        if self.top_k is not None and self.top_k < 1:
            raise ClinpromptError("CP-BACK-101", f"top_k is {self.top_k}, and at least 1 is needed")
        if not 0 < self.top_p <= 1:
            raise ClinpromptError("CP-BACK-102", f"top_p is {self.top_p}, not above 0 and up to 1")


def choose(
    logits: Tensor,
    constraints: Sequence[Constraint | None],
    sampling: Sampling | None = None,
    draws: Sequence[Random] = (),
) -> list[Chosen]:
    """A token for each row, with its log-probability among all tokens.

    Args:
        logits: [B, V]; what constrained rows may not take is overwritten.
        constraints: for each row, what it is held to.
        sampling: None takes the most probable token.
        draws: for each row, its own source of chance. One number is taken from it for a token, and
            another one for each token that a constraint refuses; so what a row draws does not
            depend on the rows beside it.

    Returns:
        For each row, token and log-probability; None for the token if there is none to take, and a
        log-probability that is NaN where the logits are.
    """
    total = logits.float().logsumexp(-1)  # before anything is ruled out
    masked = [(slot, c.mask()) for slot, c in enumerate(constraints) if c is not None]
    held = [(slot, mask) for slot, mask in masked if mask is not None]
    if held:
        slots = torch.tensor([slot for slot, _ in held], device=logits.device)
        allowed = torch.stack([mask for _, mask in held]).to(logits.device)
        logits[slots] = logits[slots].masked_fill(~allowed, -math.inf)
    best, tokens = (found.tolist() for found in logits.max(-1))
    if sampling is not None:
        drawn = draw(logits, sampling, [one.random() for one in draws])
        values = logits.gather(-1, drawn[:, None])[:, 0].tolist()
        for slot, token in enumerate(drawn.tolist()):
            if math.isfinite(best[slot]):
                best[slot], tokens[slot] = values[slot], token
    chosen: list[tuple[int | None, float]] = []
    for slot, constraint in enumerate(constraints):
        value, token = best[slot], tokens[slot]
        if constraint is not None:
            while math.isfinite(value) and not constraint.advance(token):
                logits[slot, token] = -math.inf
                token = int(logits[slot].argmax())
                value = float(logits[slot, token])
                if sampling is not None and math.isfinite(value):
                    row = logits[slot : slot + 1]
                    token = int(draw(row, sampling, [draws[slot].random()])[0])
                    value = float(logits[slot, token])
            if value == -math.inf:
                chosen.append((None, -math.inf))
                continue
        chosen.append((token, value))
    # One transfer for all rows.
    totals = total.tolist()
    return [(token, value - totals[slot]) for slot, (token, value) in enumerate(chosen)]


def draw(logits: Tensor, sampling: Sampling, chances: Sequence[float]) -> Tensor:
    """Draw a token for each row.

    The candidates stand in a row in the order of their ids, each as wide as its probability, and a
    chance points at one. A rounding error of the logits moves borders by as little, and can't make
    two candidates change places; so what is drawn hardly ever differs between batches.

    Args:
        logits: [B, V] without NaN; of rows with NaN or nothing finite the token means nothing.
        chances: for each row, a number in [0, 1).

    Returns:
        [B] token ids.
    """
    scaled = logits.float() / sampling.temperature
    ids: Tensor | None = None
    if sampling.top_k is not None and sampling.top_k < scaled.shape[-1]:
        scaled, ids = scaled.topk(sampling.top_k, dim=-1)
        total = scaled.logsumexp(-1, keepdim=True)
    else:
        total = scaled.logsumexp(-1, keepdim=True)
        if sampling.top_p < 1:
            scaled, ids = _best(scaled, total, sampling.top_p)
    shares = (scaled - total).double().exp()
    if sampling.top_p < 1:
        # A candidate stays as long as those before it fall short.
        shares = shares.masked_fill(shares.cumsum(-1) - shares >= sampling.top_p, 0.0)
    if ids is not None:
        ids, order = ids.sort(dim=-1)
        shares = shares.gather(-1, order)
    ends = shares.cumsum(-1)
    last = torch.nextafter(ends[:, -1:], ends.new_zeros(()))
    point = torch.tensor(list(chances), dtype=torch.float64, device=ends.device)[:, None]
    place = torch.searchsorted(ends, torch.minimum(point * ends[:, -1:], last), right=True)
    place = place.clamp_max(ends.shape[-1] - 1)
    return (place if ids is None else ids.gather(-1, place))[:, 0]


def _best(scaled: Tensor, total: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Values and ids of the best tokens in descending order, at least those that top_p needs."""
    few = min(_FEW, scaled.shape[-1])
    values, ids = scaled.topk(few, dim=-1)
    enough = (values - total).double().exp().sum(-1) >= top_p
    if bool(enough.all()):
        return values, ids
    return scaled.topk(scaled.shape[-1], dim=-1)
