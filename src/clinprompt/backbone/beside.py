"""Low-rank updates beside the weights, so that every row of a batch may have its own (as Punica
and S-LoRA serve LoRA: Chen et al., MLSys 2024; Sheng et al., MLSys 2024).

`updates.at_work` adds one update to the weights. Here ``W x + alpha / R * B A x`` is computed: A
and B of all updates of a batch stand one after the other, and of what A gives only a row's own
ranks are kept. With updates of few ranks that costs less than to gather each row's own factors.
Nothing is rounded to the weights' float type before it is added.

Shapes: R ranks of all updates in a layer, B rows, N tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clinprompt.backbone.lean import lowrank
from clinprompt.backbone.lean.lowrank import Pair


@dataclass(frozen=True)
class Site:
    """The updates of one linear layer.

    Attributes:
        a: [R, in] float32.
        b: [out, R] float32, scaled.
        owner: of each rank, the number of its update.
    """

    a: Tensor
    b: Tensor
    owner: tuple[int, ...]

    def of(self, numbers: frozenset[int]) -> Site | None:
        """The part of some updates; None if none of them touches the layer."""
        places = [i for i, number in enumerate(self.owner) if number in numbers]
        if len(places) == len(self.owner):
            return self
        if not places:
            return None
        index = torch.tensor(places, device=self.a.device)
        owner = tuple(self.owner[i] for i in places)
        return Site(self.a.index_select(0, index), self.b.index_select(1, index), owner)


class Beside:
    """Updates that can be at work together.

    Args:
        sites: those of each layer that has any.
    """

    def __init__(self, sites: Mapping[nn.Linear, Site]) -> None:
        self.sites = dict(sites)
        self._some: tuple[frozenset[int], dict[nn.Linear, Site]] = (frozenset(), {})
        self._now: dict[nn.Module, Pair] = {}

    def pairs(self, numbers: Tensor) -> dict[nn.Module, Pair]:
        """What stands beside each layer.

        Args:
            numbers: [...] of each token (or row), the number of its update; negative without one.

        Returns:
            By layer, A and B of all updates that occur, with a scale [..., R]: 1 for a token's own
            ranks.
        """
        kept: dict[tuple[int, ...], Tensor] = {}
        found: dict[nn.Module, Pair] = {}
        for module, site in self._occurring(frozenset(numbers.unique().tolist())).items():
            if site.owner not in kept:
                owner = torch.tensor(site.owner, device=numbers.device)
                kept[site.owner] = (numbers[..., None] == owner).to(site.a.dtype)
            found[module] = Pair(site.a, site.b, kept[site.owner])
        return found

    def _occurring(self, numbers: frozenset[int]) -> dict[nn.Linear, Site]:
        """The updates of one pass; the next one often has the same."""
        if self._some[0] != numbers:
            parts = {module: site.of(numbers) for module, site in self.sites.items()}
            self._some = numbers, {m: part for m, part in parts.items() if part is not None}
        return self._some[1]

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The library's layers add what `reading` says, as long as this lasts."""
        hooks = [module.register_forward_hook(self._added) for module in self.sites]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def reading(self, numbers: Tensor) -> Iterator[None]:
        """The library's layers read rows whose updates have these numbers [B]."""
        self._now = self.pairs(numbers[:, None])  # the layers are given [B, Q, in]
        try:
            yield
        finally:
            self._now = {}

    def _added(self, module: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        return lowrank.added(out, given[0], self._now.get(module))
