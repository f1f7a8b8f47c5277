"""Who won, said honestly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinprompt.experiments.quickstart import Cell


def verdict(cells: Sequence[Cell]) -> list[str]:
    """One sentence for each target.

    A win is called clear only if neither interval holds the other's value.
    """
    lines = []
    for target in dict.fromkeys(cell.target for cell in cells):
        own = sorted((c for c in cells if c.target == target), key=lambda c: -c.value)
        first, second = own[0], own[1]
        gap = first.value - second.value
        clear = first.low > second.value and second.high < first.value
        if gap == 0:
            lines.append(f"{target}: {first.method} and {second.method} tie at {first.value:.1f}")
        else:
            lines.append(
                f"{target}: {first.method} wins, {gap:.1f} points above {second.method}"
                + ("" if clear else "; the intervals overlap, so this may be chance")
            )
    return lines
