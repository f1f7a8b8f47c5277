"""Clean counts of mentions and relations: exact and overlapping, each one to one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from clinprompt.metrics.documents.cells import Cells
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.documents.things import Thing, overlapping
from clinprompt.metrics.matching import matching_size


def count_exact(gold: Sequence[Thing], predicted: Sequence[Thing], settings: Settings) -> Cells:
    """Equal things, by type; what one side lists twice needs two partners."""
    wanted, found = _counted(gold, settings), _counted(predicted, settings)
    cells = _totals(wanted, found)
    for thing, times in (wanted & found).items():
        cells.hit((thing.label,), times)
    return cells


def count_overlap(gold: Sequence[Thing], predicted: Sequence[Thing], settings: Settings) -> Cells:
    """The largest one-to-one pairing of overlapping things, by type."""
    wanted, found = _counted(gold, settings), _counted(predicted, settings)
    cells = _totals(wanted, found)
    left, right = list(wanted.elements()), list(found.elements())
    edges: dict[str, dict[int, set[int]]] = {}
    for i, j in overlapping(left, right):
        edges.setdefault(left[i].label, {}).setdefault(i, set()).add(j)
    for label, partners in edges.items():
        cells.hit((label,), matching_size(list(partners.values())))
    return cells


def repeats(things: Sequence[Thing]) -> int:
    """How many things equal an earlier one."""
    return len(things) - len(set(things))


def _counted(things: Sequence[Thing], settings: Settings) -> Counter[Thing]:
    return Counter(set(things) if settings.duplicates == "once" else things)


def _totals(wanted: Counter[Thing], found: Counter[Thing]) -> Cells:
    cells = Cells()
    for thing, times in wanted.items():
        cells.expect((thing.label,), times)
    for thing, times in found.items():
        cells.predict((thing.label,), times)
    return cells
