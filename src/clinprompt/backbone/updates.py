"""Low-rank updates of a backbone's linear layers (LoRA, Hu et al., ICLR 2022), put to work and
taken back.

An update is a few numbers: of every layer it touches, A [R, in] and then B [out, R], one after the
other in the order of the model's modules. What it says is ``W + alpha / R * B A``, and that is
computed in one of two ways. `at_work` adds it to the weights: whatever runs the layers runs them as
fast as ever, one update is at work at a time, and afterwards the weights are what they were, bit by
bit; in a float type of fewer bits the sum is rounded. `standing` keeps it beside the weights, where
each row of a batch has its own.

Shapes: R rank, N numbers of an update.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from clinprompt.backbone.beside import Beside, Site
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError


class LowRank(BaseModel):
    """What an update is like.

    Attributes:
        rank: R.
        alpha: the update is scaled by ``alpha / R``.
        layers: last parts of the names of the linear layers with an update.
        numbers: N.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rank: int = Field(gt=0)
    alpha: float = Field(gt=0)
    layers: tuple[str, ...] = Field(min_length=1)
    numbers: int = Field(gt=0)

    @property
    def told(self) -> str:
        """For people."""
        return f"rank {self.rank} on {', '.join(self.layers)}, {self.numbers:,} numbers"


@dataclass(frozen=True, eq=False)
class Update:
    """An update of a backbone.

    Attributes:
        shape: what it is like.
        values: [N] float32.
    """

    shape: LowRank
    values: Tensor

    @property
    def digest(self) -> str:
        """Identity of the content: SHA-256 of what it is like and of its numbers."""
        values = self.values.float().cpu().contiguous().numpy().tobytes()
        return hashlib.sha256(self.shape.model_dump_json().encode() + values).hexdigest()


def sites(model: nn.Module, layers: tuple[str, ...]) -> dict[str, nn.Linear]:
    """The linear layers with these last parts of their names, in the model's order."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.split(".")[-1] in layers
    }


def flat(factors: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
    """The numbers [N] of A [R, in] and B [out, R] of each layer, in the order given."""
    return torch.cat(
        [part.detach().float().cpu().flatten() for both in factors.values() for part in both]
    )


def factors(backbone: Backbone, update: Update) -> dict[str, tuple[Tensor, Tensor]]:
    """A [R, in] and B [out, R] by the name of the layer.

    Raises:
        ClinpromptError: CP-BACK-120 an update that does not fit the backbone's layers.
    """
    shape, found, at = update.shape, dict[str, tuple[Tensor, Tensor]](), 0
    linears = sites(backbone.model, shape.layers)
    wanted = sum(shape.rank * (one.in_features + one.out_features) for one in linears.values())
    if wanted != shape.numbers:
        raise ClinpromptError(
            "CP-BACK-120",
            f"an update of {shape.numbers} numbers does not fit the backbone's layers "
            f"{', '.join(shape.layers)}, which take {wanted} at rank {shape.rank}",
            hint="it was learned on another backbone, or its layers are packed in few bits here",
        )
    for name, linear in linears.items():
        middle = at + shape.rank * linear.in_features
        end = middle + linear.out_features * shape.rank
        a, b = update.values[at:middle], update.values[middle:end]
        found[name] = a.view(shape.rank, -1), b.view(-1, shape.rank)
        at = end
    return found


@torch.no_grad()
def add(backbone: Backbone, update: Update) -> None:
    """Add an update to the backbone's weights.

    Raises:
        ClinpromptError: CP-BACK-120 an update that does not fit.
    """
    linears = sites(backbone.model, update.shape.layers)
    scale = update.shape.alpha / update.shape.rank
    for name, (a, b) in factors(backbone, update).items():
        weight = linears[name].weight
        change = b.to(weight.device) @ a.to(weight.device) * scale
        weight.copy_(weight.float() + change)


@contextmanager
def restored(weights: Iterable[Tensor]) -> Iterator[None]:
    """Weights that may be changed; afterwards they have their values back, bit by bit."""
    before = [(weight, weight.detach().clone()) for weight in weights]
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in before:
                weight.copy_(values)


@contextmanager
def at_work(backbone: Backbone, update: Update | None) -> Iterator[None]:
    """The backbone with an update added to its weights; with None it stays as it is.

    Raises:
        ClinpromptError: CP-BACK-120 an update that does not fit.
    """
    if update is None:
        yield
        return
    linears = sites(backbone.model, update.shape.layers)
    with restored(linear.weight for linear in linears.values()):
        add(backbone, update)
        yield


def can_stand(backbone: Backbone, shape: LowRank) -> bool:
    """Whether updates like this can stand beside the backbone's weights, row by row.

    They can't where masks stay rules, for rows are packed there; nor beside the weights of experts,
    which see some tokens of a batch and do not know of which rows.
    """
    named = sites(backbone.model, shape.layers)
    return not backbone.unwritten and not any(".experts." in name for name in named)


def beside(backbone: Backbone, given: Mapping[int, Update]) -> Beside:
    """Updates as they stand beside the weights.

    Args:
        given: by the number that rows will name them by.

    Raises:
        ClinpromptError: CP-BACK-120 an update that does not fit.
    """
    linears = dict(backbone.model.named_modules())
    parts: dict[str, list[tuple[int, Tensor, Tensor]]] = {}
    for number, update in given.items():
        scale = update.shape.alpha / update.shape.rank
        for name, (a, b) in factors(backbone, update).items():
            parts.setdefault(name, []).append((number, a, b * scale))
    found = {}
    for name, own in parts.items():
        device = linears[name].weight.device
        found[linears[name]] = Site(
            torch.cat([a for _, a, _ in own]).float().to(device),
            torch.cat([b for _, _, b in own], dim=1).float().to(device),
            tuple(number for number, a, _ in own for _ in range(len(a))),
        )
    return Beside(found)


@contextmanager
def standing(backbone: Backbone, given: Beside | None) -> Iterator[None]:
    """The backbone with updates beside its weights, for the rows that name one."""
    if given is None:
        yield
        return
    before, backbone.beside = backbone.beside, given
    try:
        with given.attached():
            yield
    finally:
        backbone.beside = before
