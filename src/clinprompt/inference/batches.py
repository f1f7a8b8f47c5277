"""Rows of similar length together, under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.backbone.updates import Update

SMALL = 16  # a batch under this share of the budget is small


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


def by_update(updates: Sequence[Update | None]) -> list[tuple[Update | None, list[int]]]:
    """Indices of rows that the same weights answer, those of the bare backbone first."""
    found: dict[int, tuple[Update | None, list[int]]] = {0: (None, [])}
    for i, update in enumerate(updates):
        key = 0 if update is None else id(update.values)
        found.setdefault(key, (update, []))[1].append(i)
    return [one for one in found.values() if one[1]]


def batches(sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Indices of rows, batch by batch, the longest rows first.

    A batch of B rows padded to W columns has ``B * W <= budget``, or B = 1; and at most a quarter
    of it is padding, unless it is so small that a processor would be idle otherwise. So a long row
    among short ones does not make them long. Rows of equal size keep their order, so the same sizes
    always give the same batches.
    """
    ordered = sorted(range(len(sizes)), key=lambda i: (-sizes[i].text, -sizes[i].total, i))
    found: list[list[int]] = []
    width, real = Size(0, 0, 0), 0
    for index in ordered:
        wider, more = width.widened(sizes[index]), real + sizes[index].total
        padded = wider.total * (len(found[-1]) + 1) if found else 0
        alike = 3 * padded <= 4 * more or padded <= budget // SMALL
        if found and alike and padded <= budget:
            found[-1].append(index)
            width, real = wider, more
        else:
            found.append([index])
            width, real = sizes[index], sizes[index].total
    return found
