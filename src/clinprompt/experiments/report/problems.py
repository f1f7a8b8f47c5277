"""What is missing, on top of the report: cells that failed, were not run, or are out of date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clinprompt.experiments.report.reading import Results, Slot
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Folded,
    Points,
    Section,
    Table,
    Text,
    plural,
)

_SHOWN = 12  # rows before the rest is folded away
WORDS = {"failed": "failed", "missing": "not run yet", "outdated": "out of date"}


def counts(results: Results) -> Counter[str]:
    """Cells by status."""
    return Counter(slot.status for slot in results.slots)


def problems_section(results: Results) -> Section | None:
    """The section; None if every planned cell is finished and nothing was left out."""
    open_ = [slot for slot in results.slots if slot.done is None]
    if not open_ and not results.left_out:
        return None
    blocks: list[AnyBlock] = []
    if open_:
        found = counts(results)
        parts = [f"{found[kind]:,} {word}" for kind, word in WORDS.items() if found[kind]]
        blocks.append(
            Text(
                f"{plural(len(open_), 'cell')} of {len(results.slots):,} have no result: "
                f"{', '.join(parts)}. They are shown as such wherever they would stand, and no "
                "average is taken where one of them belongs to it.",
                "warning",
            )
        )
        failed = [slot for slot in open_ if slot.status != "missing"]
        missing = [slot for slot in open_ if slot.status == "missing"]
        blocks += _listed(results, "Failed and out of date", failed)
        blocks += _listed(results, "Not run yet", missing)
    if results.left_out:
        blocks.append(Points(results.left_out))
    return Section("problems", "Missing results", tuple(blocks))


def _listed(results: Results, title: str, slots: Sequence[Slot]) -> list[AnyBlock]:
    rows = _merged(slots)
    if not rows:
        return []
    first = _table(results, title, rows[:_SHOWN])
    if len(rows) <= _SHOWN:
        return [first]
    rest = rows[_SHOWN:]
    more = _table(results, f"{title}, the rest", rest)
    return [first, Folded(f"{len(rest):,} more", (more,))]


def _table(results: Results, title: str, rows: Sequence[tuple[Slot, list[Slot]]]) -> Table:
    names = ("Target", "Method", "Shots", "Seeds", "Backbone", "What", "Why")
    known = any(first.status != "missing" for first, _ in rows)
    columns = [Column(name, number=False) for name in (names if known else names[:-2])]
    cells = [
        (
            Cell(first.plan.key.target),
            Cell(results.title(first.plan.key.method)),
            Cell(", ".join(dict.fromkeys(str(one.plan.key.shots) for one in all_))),
            Cell(", ".join(dict.fromkeys(str(one.plan.key.seed) for one in all_))),
            Cell(first.plan.key.backbone),
            Cell(WORDS[first.status], kind="missing" if first.status == "missing" else "failed"),
            Cell(first.reason),
        )
        for first, all_ in rows
    ]
    return Table.plain(title, columns, [row[: len(columns)] for row in cells])


def _merged(slots: Iterable[Slot]) -> list[tuple[Slot, list[Slot]]]:
    """Cells of one target, method, backbone and reason together; their first stands for them."""
    found: dict[tuple[str, ...], list[Slot]] = {}
    for slot in slots:
        key = slot.plan.key
        same = (key.backbone, key.target, key.method, slot.status, slot.reason)
        found.setdefault(same, []).append(slot)
    return [(all_[0], all_) for all_ in found.values()]
