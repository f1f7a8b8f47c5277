"""Rows of similar length together, under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from clinprompt.backbone.engine import Prefix


@dataclass(frozen=True, slots=True)
class Size:
    """Columns that a row takes: its task's prefix, its text, its new tokens or its options."""

    prefix: int
    text: int
    answer: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.prefix + self.text + self.answer

    def widened(self, other: Size) -> Size:
        """What a batch with both rows in it is padded to."""
        return Size(
            max(self.prefix, other.prefix),
            max(self.text, other.text),
            max(self.answer, other.answer),
        )


def batches(sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Indices of rows, batch by batch, the longest rows first.

    A batch of B rows padded to W columns has ``B * W <= budget``, or B = 1. Rows of equal size
    keep their order, so the same sizes always give the same batches.
    """
    ordered = sorted(range(len(sizes)), key=lambda i: (-sizes[i].text, -sizes[i].total, i))
    found: list[list[int]] = []
    width = Size(0, 0, 0)
    for index in ordered:
        wider = width.widened(sizes[index])
        if found and wider.total * (len(found[-1]) + 1) <= budget:
            found[-1].append(index)
            width = wider
        else:
            found.append([index])
            width = sizes[index]
    return found


def joined(prefixes: Sequence[Prefix]) -> Prefix:
    """Prefixes of one task each as one prefix of T tasks, padded on the right."""
    if len(prefixes) == 1:
        return prefixes[0]
    longest = max(prefix.layers[0][0].shape[2] for prefix in prefixes)

    def stacked(layer: int, side: int) -> torch.Tensor:
        parts = [prefix.layers[layer][side] for prefix in prefixes]
        return torch.cat([pad(part, (0, 0, 0, longest - part.shape[2])) for part in parts])

    layers = [(stacked(i, 0), stacked(i, 1)) for i in range(len(prefixes[0].layers))]
    return Prefix(layers, torch.cat([prefix.lengths for prefix in prefixes]))
